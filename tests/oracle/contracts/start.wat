;; Its start function returns "start" if the input begins with 1, reverts with it if with 2, and else lets the message
;; return "call" and the constructor "deploy".
(module
  (import "env" "memory" (memory 1 1))
  (import "seal0" "input" (func $input (param i32 i32)))
  (import "seal0" "seal_return" (func $return (param i32 i32 i32)))
  (data (i32.const 0x10) "start")
  (data (i32.const 0x20) "call")
  (data (i32.const 0x30) "deploy")
  (func $start
    (i32.store (i32.const 0) (i32.const 0x1000))
    (call $input (i32.const 0x100) (i32.const 0))
    (if (i32.eq (i32.load8_u (i32.const 0x100)) (i32.const 1))
      (then (call $return (i32.const 0) (i32.const 0x10) (i32.const 5))))
    (if (i32.eq (i32.load8_u (i32.const 0x100)) (i32.const 2))
      (then (call $return (i32.const 1) (i32.const 0x10) (i32.const 5)))))
  (func $call (call $return (i32.const 0) (i32.const 0x20) (i32.const 4)))
  (func $deploy (call $return (i32.const 0) (i32.const 0x30) (i32.const 6)))
  (start $start)
  (export "call" (func $call))
  (export "deploy" (func $deploy)))
