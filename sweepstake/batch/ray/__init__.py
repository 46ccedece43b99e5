"""Workers on the nodes of a Ray cluster: as many as the queue has work for.

An actor on a node starts an ordinary worker there, and holds it by a leash: a pipe that closes when the actor dies,
whatever it dies of. A crew keeps so many actors up as there is work for. `actor` is what Ray runs on the nodes,
`cluster` what talks to Ray, `scaling` decides without I/O, and `crew` does what was decided.
"""
