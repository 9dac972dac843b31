;; Calls itself for ever.
(module
  (import "env" "memory" (memory 1 1))
  (func $deploy)
  (func $deeper (param i32) (result i32)
    (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
  (func $call (drop (call $deeper (i32.const 0))))
  (export "call" (func $call))
  (export "deploy" (func $deploy)))
