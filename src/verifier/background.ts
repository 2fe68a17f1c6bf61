/**
 * Calls `turn` now and every `everyMs`, until the returned function is called. Does not keep a process alive where the
 * runtime can be told so (Node, Bun, Deno).
 */
export function repeat(everyMs: number, turn: () => void): () => void {
  turn()
  const timer = setInterval(turn, everyMs)
  release(timer)
  return () => clearInterval(timer)
}

function release(timer: unknown): void {
  // Deno's timers are numbers.
  const deno: unknown = Reflect.get(globalThis, 'Deno')
  if (hasFunction(timer, 'unref')) timer.unref()
  else if (hasFunction(deno, 'unrefTimer')) deno.unrefTimer(timer)
}

function hasFunction<K extends string>(value: unknown, name: K): value is Record<K, (argument?: unknown) => void> {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, name) === 'function'
}
