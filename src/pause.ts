/** Waits by a timer of the caller's own: in workerd no request may wait for another's promise, timer or I/O. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
