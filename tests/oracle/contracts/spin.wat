;; Never ends.
(module
  (import "env" "memory" (memory 1 1))
  (func $deploy)
  (func $call (loop $again (br $again)))
  (export "call" (func $call))
  (export "deploy" (func $deploy)))
