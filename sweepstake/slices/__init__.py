"""JSON texts, read and written in slices: however long a text is, nobody else in the process waits for it.

The reader and the writer of the standard library are one call into C each, and hold Python's lock for as long as it
lasts: a fifth of a second for 8 MB. Here no such call sees more than a slice. Freeing what was read is sliced as well.
"""

from sweepstake.slices.freeing import let_go
from sweepstake.slices.reading import MAX_NUMBER, count_marks, read_json
from sweepstake.slices.window import SLICE
from sweepstake.slices.writing import PART, in_parts, write_json

__all__ = ["MAX_NUMBER", "PART", "SLICE", "count_marks", "in_parts", "let_go", "read_json", "write_json"]
