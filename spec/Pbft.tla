-------------------------------- MODULE Pbft --------------------------------
(***************************************************************************)
(* The protocol of docs/spec/consensus.md, for safety: ordering, execution *)
(* and checkpoints, view changes, crashes, and f replicas that lie.        *)
(*                                                                         *)
(* The network is the set of all that was ever signed: nothing is lost     *)
(* for good, everything may come late, again, or never.  A lying replica   *)
(* has no state.  Whatever its key can sign counts as signed already, so   *)
(* each quorum below has it as a member from the start.                    *)
(***************************************************************************)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS
    N,          \* how many replicas there are
    Offers(_),  \* the values that may be proposed in a view
    Null,       \* the value of a number that a new view leaves empty
    None,       \* no value
    MaxSeq,
    MaxView,
    Window,
    Liars       \* the sets of replicas of which one set lies

VARIABLES
    liars,
    mem,        \* what each replica knows of its view and its votes
    disk,       \* the same, as its journal has it
    log,        \* what each has executed, NULLs included
    low,        \* L: the last certified number that its log holds durably
    votes,      \* for each number: all PRE-PREPAREs, PREPAREs and COMMITs
    wishes,     \* all VIEW-CHANGEs
    openings,   \* all NEW-VIEWs
    cosigned    \* for each replica: the logs of which it signed the root

vars == <<liars, mem, disk, log, low, votes, wishes, openings, cosigned>>

-----------------------------------------------------------------------------
(* Quorums and certificates *)

Replicas == 0..(N - 1)
Faults == (N - 1) \div 3
Quorum == (N + Faults + 2) \div 2  \* (n + f + 1) / 2, rounded up
Correct == Replicas \ liars
Primary(v) == v % N

Seqs == 1..MaxSeq
Views == 0..MaxView
Values == UNION {Offers(v) : v \in Views}
Max(S) == CHOOSE x \in S : \A y \in S : y <= x

Signed(kind, i, v, d) == [kind |-> kind, from |-> i, view |-> v, value |-> d]
Signers(kind, v, s, d) == {i \in Replicas : i \in liars \/ Signed(kind, i, v, d) \in votes[s]}

Proposed(v, s, d) == Primary(v) \in Signers("propose", v, s, d)

Prepared(v, s, d) ==
    /\ Proposed(v, s, d)
    /\ Cardinality(Signers("prepare", v, s, d) \ {Primary(v)}) >= Quorum - 1

Committed(v, s, d) == Cardinality(Signers("commit", v, s, d)) >= Quorum

(* The prefix of a log stands for its root: both name all that lies before. *)
EndsInBlock(l) == IF l = <<>> THEN FALSE ELSE l[Len(l)] # Null
Size(l) == Cardinality({s \in DOMAIN l : l[s] # Null})
Prefix(l, s) == SubSeq(l, 1, s)
Certified(l) == Cardinality({i \in Replicas : i \in liars \/ l \in cosigned[i]}) >= Quorum

-----------------------------------------------------------------------------
(* What a quorum of VIEW-CHANGEs forces *)

Base(V) == Max({w.low : w \in V})
CertificatesAt(V, s) == {c \in UNION {w.prepared : w \in V} : c.seq = s}
Highest(C) == CHOOSE c \in C : \A other \in C : other.view <= c.view

Order(V) ==
    LET base == Base(V)
        top == Max({base} \cup {c.seq : c \in UNION {w.prepared : w \in V}})
    IN  [s \in Seqs |->
            IF s <= base \/ s > top THEN None
            ELSE IF CertificatesAt(V, s) = {} THEN Null
            ELSE Highest(CertificatesAt(V, s)).value]

Opening(v, V) == [view |-> v, base |-> Base(V), order |-> Order(V)]

(* A wish is valid alone: everything in it proves itself. *)
ValidWish(w) ==
    /\ w.low = 0 \/ \E l \in UNION {cosigned[i] : i \in Correct} : Len(l) = w.low /\ Certified(l)
    /\ \A c \in w.prepared :
        /\ c.view < w.view
        /\ w.low < c.seq /\ c.seq <= w.low + Window
        /\ Prepared(c.view, c.seq, c.value)
        /\ \A other \in w.prepared : other.seq = c.seq => other = c

WishesFor(v) == {w \in wishes : w.view = v}

(* A NEW-VIEW needs q VIEW-CHANGEs of different replicas, each signed or valid. *)
Valid(v, V) ==
    /\ Cardinality(V) = Quorum
    /\ Cardinality({w.from : w \in V}) = Quorum
    /\ \A w \in V : w.view = v /\ (w \in wishes \/ (w.from \in liars /\ ValidWish(w)))

-----------------------------------------------------------------------------
(* Steps.  A replica journals what it is about to say, and then says it. *)

Persist(i, m) ==
    /\ mem' = [mem EXCEPT ![i] = m]
    /\ disk' = [disk EXCEPT ![i] = m]

Say(s, vote) == votes' = [votes EXCEPT ![s] = @ \cup {vote}]

Within(i, s) == low[i] < s /\ s <= low[i] + Window

(* Whether i, in its view, may take d for the value of s. *)
Acceptable(i, s, d) ==
    LET m == mem[i] IN
    /\ i \in Correct
    /\ m.active
    /\ Within(i, s)
    /\ m.vote[s] = None
    /\ s > m.base
    /\ IF m.order[s] # None THEN d = m.order[s] ELSE d \in Offers(m.view)

(* The primary proposes; what it said in its NEW-VIEW it only says again. *)
Propose(i, s, d) ==
    /\ i = Primary(mem[i].view)
    /\ Acceptable(i, s, d)
    /\ Persist(i, [mem[i] EXCEPT !.vote[s] = d])
    /\ Say(s, Signed("propose", i, mem[i].view, d))
    /\ UNCHANGED <<liars, log, low, wishes, openings, cosigned>>

(* A backup accepts the proposal and votes for it. *)
Prepare(i, s, d) ==
    /\ i # Primary(mem[i].view)
    /\ Acceptable(i, s, d)
    /\ Proposed(mem[i].view, s, d)
    /\ Persist(i, [mem[i] EXCEPT !.vote[s] = d])
    /\ Say(s, Signed("prepare", i, mem[i].view, d))
    /\ UNCHANGED <<liars, log, low, wishes, openings, cosigned>>

(* With a prepared certificate, which it keeps, a replica commits. *)
Commit(i, s, d) ==
    LET m == mem[i] IN
    /\ i \in Correct
    /\ m.active
    /\ Within(i, s)
    /\ m.vote[s] = d
    /\ m.cert[s].view < m.view
    /\ Prepared(m.view, s, d)
    /\ Persist(i, [m EXCEPT !.cert[s] = [view |-> m.view, value |-> d]])
    /\ Say(s, Signed("commit", i, m.view, d))
    /\ UNCHANGED <<liars, log, low, wishes, openings, cosigned>>

(* The next number is executed in its turn.  Whoever sees the COMMITs may do so. *)
Execute(i, d) ==
    LET s == Len(log[i]) + 1 IN
    /\ i \in Correct
    /\ s \in Seqs
    /\ \E v \in {vote.view : vote \in votes[s]} : Committed(v, s, d)
    /\ log' = [log EXCEPT ![i] = Append(@, d)]
    /\ cosigned' = [cosigned EXCEPT ![i] = IF d = Null THEN @ ELSE @ \cup {log'[i]}]
    /\ UNCHANGED <<liars, mem, disk, low, votes, wishes, openings>>

(* A replica that is behind takes over a log that a certificate proves, or part of it. *)
CatchUp(i, l) ==
    /\ i \in Correct
    /\ Len(l) > Len(log[i])
    /\ EndsInBlock(l)
    /\ \E whole \in UNION {cosigned[j] : j \in Correct} :
        /\ Len(whole) >= Len(l)
        /\ Prefix(whole, Len(l)) = l
        /\ Certified(whole)
    /\ log' = [log EXCEPT ![i] = l]
    /\ UNCHANGED <<liars, mem, disk, low, votes, wishes, openings, cosigned>>

(* Once it is certified and in the synced log, a number needs no votes any more. *)
Stabilize(i, s) ==
    /\ i \in Correct
    /\ low[i] < s /\ s <= Len(log[i])
    /\ Certified(Prefix(log[i], s))
    /\ low' = [low EXCEPT ![i] = s]
    /\ UNCHANGED <<liars, mem, disk, log, votes, wishes, openings, cosigned>>

-----------------------------------------------------------------------------

NoVotes == [s \in Seqs |-> None]

Wish(i, v) ==
    [from |-> i, view |-> v, low |-> low[i],
     prepared |-> {[seq |-> s, view |-> mem[i].cert[s].view, value |-> mem[i].cert[s].value] :
                   s \in {s \in Seqs : s > low[i] /\ mem[i].cert[s].view >= 0}}]

(* Leave all views below v. *)
Leave(i, v) ==
    /\ i \in Correct
    /\ v \in Views /\ v > mem[i].view
    /\ wishes' = wishes \cup {Wish(i, v)}
    /\ Persist(i, [mem[i] EXCEPT !.view = v, !.active = FALSE, !.base = 0, !.order = NoVotes, !.vote = NoVotes])
    /\ UNCHANGED <<liars, log, low, votes, openings, cosigned>>

In(m, o) ==
    [m EXCEPT !.view = o.view, !.active = TRUE, !.base = o.base, !.order = o.order, !.vote = NoVotes]

MayEnter(i, v) ==
    /\ i \in Correct
    /\ v > mem[i].view \/ (v = mem[i].view /\ ~mem[i].active)

(* The primary opens its view with what q VIEW-CHANGEs force. *)
Open(i, V) ==
    LET v == mem[i].view
        o == Opening(v, V)
    IN
    /\ ~mem[i].active
    /\ MayEnter(i, v)
    /\ i = Primary(v)
    /\ Valid(v, V)
    /\ Persist(i, In(mem[i], o))
    /\ openings' = openings \cup {o}
    /\ votes' = [s \in Seqs |->
                    IF o.order[s] = None THEN votes[s]
                    ELSE votes[s] \cup {Signed("propose", i, v, o.order[s])}]
    /\ UNCHANGED <<liars, log, low, wishes, cosigned>>

(* The others recompute what V forces, and follow. *)
Enter(i, v, V) ==
    /\ MayEnter(i, v)
    /\ i # Primary(v)
    /\ Valid(v, V)
    /\ Primary(v) \in liars \/ Opening(v, V) \in openings
    /\ Persist(i, In(mem[i], Opening(v, V)))
    /\ UNCHANGED <<liars, log, low, votes, wishes, openings, cosigned>>

(* A replica that follows another's VIEW-CHANGEs without one of its own has the same choices as one
   that leaves first, and says less: looking for faults, TLC need not look there. *)
LeavesFirst(i) == ~mem[i].active

(* After a crash there is what the journal and the log hold.  The end of the log may be lost;
   the root of what is left is signed, once more or for the first time. *)
Restart(i, l) ==
    /\ i \in Correct
    /\ low[i] <= Len(l) /\ Len(l) <= Len(log[i])
    /\ l = Prefix(log[i], Len(l))
    /\ l = <<>> \/ EndsInBlock(l)
    /\ mem' = [mem EXCEPT ![i] = disk[i]]
    /\ log' = [log EXCEPT ![i] = l]
    /\ cosigned' = [cosigned EXCEPT ![i] = IF l = <<>> THEN @ ELSE @ \cup {l}]
    /\ UNCHANGED <<liars, disk, low, votes, wishes, openings>>

-----------------------------------------------------------------------------
(* The whole *)

Fresh ==
    [view |-> 0, active |-> TRUE, base |-> 0, order |-> NoVotes, vote |-> NoVotes,
     cert |-> [s \in Seqs |-> [view |-> -1, value |-> None]]]

Start ==
    /\ mem = [i \in Replicas |-> Fresh]
    /\ disk = mem
    /\ log = [i \in Replicas |-> <<>>]
    /\ low = [i \in Replicas |-> 0]
    /\ votes = [s \in Seqs |-> {}]
    /\ wishes = {}
    /\ openings = {}
    /\ cosigned = [i \in Replicas |-> {}]

Init == liars \in Liars /\ Start

(* All that a liar may claim in a VIEW-CHANGE for v. *)
Claims(v) ==
    LET certificates == {c \in [seq : Seqs, view : 0..(v - 1), value : Values \cup {Null}] :
                            Prepared(c.view, c.seq, c.value)}
        claims == [from : liars, view : {v}, low : 0..MaxSeq, prepared : SUBSET certificates]
    IN  {w \in claims : ValidWish(w)}

(* All that may open v: what q wishes force, one of which a liar may have made up (f = 1). *)
Quorums(v) ==
    LET honest(n) == {V \in SUBSET WishesFor(v) : Cardinality(V) = n}
    IN  IF honest(Quorum - 1) = {} THEN {}
        ELSE honest(Quorum) \cup {V \cup {w} : V \in honest(Quorum - 1), w \in Claims(v)}

Ordering(i) ==
    \/ \E s \in Seqs, d \in Values \cup {Null} : Propose(i, s, d) \/ Prepare(i, s, d) \/ Commit(i, s, d)
    \/ \E d \in Values \cup {Null} : Execute(i, d)

Checkpoints(i) ==
    \/ \E l \in UNION {cosigned[j] : j \in Correct}, s \in Seqs : s <= Len(l) /\ CatchUp(i, Prefix(l, s))
    \/ \E s \in Seqs : Stabilize(i, s)

ViewChange(i) ==
    \/ \E v \in Views : Leave(i, v)
    \/ LeavesFirst(i) /\ \E V \in Quorums(mem[i].view) : Enter(i, mem[i].view, V) \/ Open(i, V)

Crash(i) == \E s \in 0..Len(log[i]) : Restart(i, Prefix(log[i], s))

Next == \E i \in Correct : Ordering(i) \/ Checkpoints(i) \/ ViewChange(i) \/ Crash(i)

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* Safety, by the ids of docs/invariants.md *)

AllValues == Values \cup {Null}
AtMostOne(S) == Cardinality(S) <= 1

(* PS1: one value is committed at a number, and one log is executed. *)
Agreement ==
    /\ \A s \in Seqs : AtMostOne({d \in AllValues : \E v \in Views : Committed(v, s, d)})
    /\ \A i, j \in Correct, s \in Seqs :
        s <= Len(log[i]) /\ s <= Len(log[j]) => log[i][s] = log[j][s]

(* PS2 *)
OnePrepared ==
    \A s \in Seqs, v \in Views : AtMostOne({d \in AllValues : Prepared(v, s, d)})

(* PS3, of each view that was opened, and of each that could be. *)
Carries(o, s, d) == o.base >= s \/ o.order[s] = d

CommittedIsCarried ==
    \A s \in Seqs, v \in Views, d \in AllValues : Committed(v, s, d) =>
        \A w \in (v + 1)..MaxView : \A V \in Quorums(w) : Carries(Opening(w, V), s, d)

Distinct(messages, roles) == Cardinality(messages) = Cardinality(roles)

(* PS4: nobody signs two things in one role, nor two roots of one size. *)
NoContradiction ==
    /\ \A s \in Seqs : Distinct(votes[s], {<<x.kind, x.from, x.view>> : x \in votes[s]})
    /\ Distinct(wishes, {<<x.from, x.view>> : x \in wishes})
    /\ Distinct(openings, {x.view : x \in openings})

(* PS4 and PS5: correct replicas cosign one root of each size. *)
OneRoot ==
    \A i, j \in Correct : \A a \in cosigned[i], b \in cosigned[j] : Size(a) = Size(b) => a = b

(* PS10, and that nobody votes where its window is not. *)
Ahead ==
    \A i \in Correct :
        /\ mem'[i].view >= mem[i].view
        /\ low'[i] >= low[i]
        /\ \A s \in Seqs : \A a \in votes'[s] \ votes[s] :
            a.from = i /\ a.kind # "propose" => low[i] < s /\ s <= low[i] + Window

NothingReappears == [][Ahead]_vars

=============================================================================
