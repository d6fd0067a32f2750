------------------------------- MODULE Small --------------------------------
(* What the .cfg of a small network cannot write by itself. *)
EXTENDS Pbft

(* Each view's primary has another value in mind: to offer the same again is never worse. *)
OneEach(v) == {<<"a", "b", "c">>[v + 1]}
Both(v) == {"a", "b"}

(* Leaves execution and checkpoints out: what is agreed on, not what follows. *)
NothingExecuted == \A i \in Replicas : log[i] = <<>>

=============================================================================
