"""How jobs come into batches: schedules of batches, the filling of them, and the two layouts."""
