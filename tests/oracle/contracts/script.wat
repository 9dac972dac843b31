;; Runs a script, which is its input, as constructor and as message: the table of calls needs no contract of its own
;; for each way to call a host function. The oracle fills in the imports and a branch for each of them.
;;
;; A script is a row of operations, each a byte and its arguments, integers in little endian:
;;
;;   0 pointer length bytes    writes bytes to memory
;;   1 pointer length          appends memory to the log
;;   2 flags                   returns the log with flags; so does the end of the script, with 0
;;   3                         traps
;;   4 pages                   grows the memory, logs the result
;;   5 to from length          copies memory
;;   6 dividend divisor        divides, logs the quotient
;;   7 pointer                 logs the word there
;;   8                         leaves without seal_return
;;   16 + n arguments          calls the host function n of the oracle's table, logs its result
;;
;; Memory: 0x0000 for the script's own use, 0x7ffc the length of the input, 0x8000 the log, 0x10000 the input.
(module
  (import "env" "memory" (memory 2 16))
  (import "seal0" "input" (func $get_input (param i32 i32)))
  (import "seal0" "seal_return" (func $return (param i32 i32 i32)))
  ;; IMPORTS

  (global $log (mut i32) (i32.const 0x8000))

  (func $copy (param $to i32) (param $from i32) (param $length i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $length)))
        (i32.store8 (local.get $to) (i32.load8_u (local.get $from)))
        (local.set $to (i32.add (local.get $to) (i32.const 1)))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (br $next))))

  (func $append (param $from i32) (param $length i32)
    (call $copy (global.get $log) (local.get $from) (local.get $length))
    (global.set $log (i32.add (global.get $log) (local.get $length))))

  (func $log32 (param $word i32)
    (i32.store (global.get $log) (local.get $word))
    (global.set $log (i32.add (global.get $log) (i32.const 4))))

  (func $log64 (param $word i64)
    (i64.store (global.get $log) (local.get $word))
    (global.set $log (i32.add (global.get $log) (i32.const 8))))

  (func $finish (param $flags i32)
    (call $return (local.get $flags) (i32.const 0x8000) (i32.sub (global.get $log) (i32.const 0x8000))))

  ;; Runs one host function with arguments from $at; gives the pointer behind them.
  (func $host (param $op i32) (param $at i32) (result i32)
    ;; DISPATCH
    (unreachable))

  (func $run
    (local $at i32) (local $end i32) (local $op i32) (local $a i32) (local $b i32)
    (i32.store (i32.const 0x7ffc) (i32.const 0x10000))
    (call $get_input (i32.const 0x10000) (i32.const 0x7ffc))
    (local.set $at (i32.const 0x10000))
    (local.set $end (i32.add (local.get $at) (i32.load (i32.const 0x7ffc))))
    (loop $next
      (if (i32.ge_u (local.get $at) (local.get $end))
        (then (call $finish (i32.const 0)) (return)))
      (local.set $op (i32.load8_u (local.get $at)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (local.set $a (i32.load (local.get $at)))
      (local.set $b (i32.load offset=4 (local.get $at)))
      (if (i32.eq (local.get $op) (i32.const 0))
        (then
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (call $copy (local.get $a) (local.get $at) (local.get $b))
          (local.set $at (i32.add (local.get $at) (local.get $b)))
          (br $next)))
      (if (i32.eq (local.get $op) (i32.const 1))
        (then
          (call $append (local.get $a) (local.get $b))
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (br $next)))
      (if (i32.eq (local.get $op) (i32.const 2))
        (then (call $finish (local.get $a))))
      (if (i32.eq (local.get $op) (i32.const 3))
        (then (unreachable)))
      (if (i32.eq (local.get $op) (i32.const 4))
        (then
          (call $log32 (memory.grow (local.get $a)))
          (local.set $at (i32.add (local.get $at) (i32.const 4)))
          (br $next)))
      (if (i32.eq (local.get $op) (i32.const 5))
        (then
          (call $copy (local.get $a) (local.get $b) (i32.load offset=8 (local.get $at)))
          (local.set $at (i32.add (local.get $at) (i32.const 12)))
          (br $next)))
      (if (i32.eq (local.get $op) (i32.const 6))
        (then
          (call $log32 (i32.div_s (local.get $a) (local.get $b)))
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (br $next)))
      (if (i32.eq (local.get $op) (i32.const 7))
        (then
          (call $log32 (i32.load (local.get $a)))
          (local.set $at (i32.add (local.get $at) (i32.const 4)))
          (br $next)))
      (if (i32.eq (local.get $op) (i32.const 8))
        (then (return)))
      (local.set $at (call $host (local.get $op) (local.get $at)))
      (br $next)))

  (export "call" (func $run))
  (export "deploy" (func $run)))
