------------------------------- MODULE Follow -------------------------------
(***************************************************************************)
(* Whether recorded runs of the shipping code are behaviours of Pbft.  A   *)
(* step says all that the model leaves open, so that each run can be       *)
(* followed in one way only, and TLC prints how far that went.             *)
(*                                                                         *)
(* The module Recorded is written by tests/spec/traces.py.  It extends     *)
(* Pbft and defines Runs: a run is [liars, steps], and a step is           *)
(* <<kind, replica, ...>>, as below.  (A definition and no constant of the *)
(* .cfg, because TLC evaluates it once only.)                              *)
(***************************************************************************)
EXTENDS Recorded, TLC

VARIABLES run, at

Anything(v) == STRING

Steps == Runs[run].steps
Now == Steps[at]

(* The certified log, or the part of one, that ends at s. *)
Proven(s) ==
    LET proofs == {l \in UNION {cosigned[j] : j \in Correct} : Len(l) >= s /\ Certified(l)}
    IN  IF proofs = {} THEN <<>> ELSE Prefix(CHOOSE l \in proofs : TRUE, s)

Is(o, base, order) ==
    /\ o.base = base
    /\ \A s \in Seqs :
        o.order[s] = IF base < s /\ s <= base + Len(order) THEN order[s - base] ELSE None

Step(e) ==
    LET kind == e[1]
        i == e[2]
    IN
    \/ kind = "propose" /\ mem[i].view = e[3] /\ Propose(i, e[4], e[5])
    \/ kind = "prepare" /\ mem[i].view = e[3] /\ Prepare(i, e[4], e[5])
    \/ kind = "commit" /\ mem[i].view = e[3] /\ Commit(i, e[4], e[5])
    \/ kind = "execute" /\ Len(log[i]) + 1 = e[3] /\ Execute(i, e[4])
    \/ kind = "catch up" /\ CatchUp(i, Proven(e[3]))
    \/ kind = "stabilize" /\ Stabilize(i, e[3])
    \/ kind = "leave" /\ Leave(i, e[3]) /\ e[4] = {Wish(i, e[3])}
    \/ kind = "open" /\ mem[i].view = e[3] /\ Is(Opening(e[3], e[4]), e[5], e[6]) /\ Open(i, e[4])
    \/ kind = "enter" /\ Is(Opening(e[3], e[4]), e[5], e[6]) /\ Enter(i, e[3], e[4])
    \/ kind = "restart" /\ e[3] <= Len(log[i]) /\ Restart(i, Prefix(log[i], e[3]))

Follow ==
    /\ at <= Len(Steps)
    /\ run' = run
    /\ IF ENABLED Step(Now)
       THEN /\ Step(Now)
            /\ at' = at + 1
            /\ at < Len(Steps) \/ PrintT(<<"accepted", run>>)
       ELSE /\ UNCHANGED vars
            /\ at' = Len(Steps) + 1
            /\ PrintT(<<"refused", run, at>>)

Begin == run \in 1..Len(Runs) /\ at = 1 /\ liars = Runs[run].liars /\ Start

Replay == Begin /\ [][Follow]_<<vars, run, at>>

(* Each run has one way to go: where it is says all. *)
Place == <<run, at>>

=============================================================================
