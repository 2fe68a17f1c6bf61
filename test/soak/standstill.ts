/** Notices when this process, and with it the bridge, was not given any time by a busy machine. */
import type { Recorder } from './recorder.ts'

/** A store call waits for 800 ms: shorter pauses are part of life. */
const NOTED_MS = 300
const BEAT_MS = 50

/** Writes down each standstill as a fault. @returns a function that ends the watch */
export function watchStandstill({ nowMs, write }: Recorder): () => void {
  let made = 0
  let dueMs = nowMs() + BEAT_MS
  const timer = setInterval(() => {
    const lateMs = nowMs() - dueMs
    if (lateMs > NOTED_MS) {
      made++
      // Ids of planned faults are counted up from 1.
      const fault = { line: 'fault', id: -made, kind: 'standstill' } as const
      write({ ...fault, phase: 'begin', atMs: dueMs })
      write({ ...fault, phase: 'end', atMs: nowMs() })
    }
    dueMs = nowMs() + BEAT_MS
  }, BEAT_MS)
  return () => clearInterval(timer)
}
