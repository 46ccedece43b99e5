"""Train one classifier of handwritten digits, as a program: hyperparameters come as options, results go to the output.

sweepstake run digits -- python train.py %h
"""

import argparse
import json

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC


def main() -> None:
    """Train, test, and print the results between the marks that `sweepstake run` looks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--C", type=float, required=True)
    parser.add_argument("--gamma", type=float, required=True)
    chosen = parser.parse_args()

    pixels, digits = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(pixels, digits, test_size=0.3, random_state=0)
    accuracy = SVC(C=chosen.C, gamma=chosen.gamma).fit(train_x, train_y).score(test_x, test_y)

    print("--- RESULTS ---")
    print(json.dumps({"accuracy": accuracy}))
    print("--- END RESULTS ---")


if __name__ == "__main__":
    main()
