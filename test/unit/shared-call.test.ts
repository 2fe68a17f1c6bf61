import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { StoreUnavailable } from '../../src/failure.ts'
import { shareCalls } from '../../src/store/shared-call.ts'

const DEADLINE_MS = 800

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A shared call whose answers the test gives: each question is answered by itself in capitals. */
function begin() {
  const calls: { readonly questions: readonly string[]; answer(): void; fail(error: Error): void }[] = []
  const ask = shareCalls(
    (questions: readonly string[]) =>
      new Promise<string[]>((resolve, reject) => {
        const answer = () => resolve(questions.map((question) => question.toUpperCase()))
        calls.push({ questions, answer, fail: reject })
      }),
    DEADLINE_MS,
  )
  /** What became of a question so far. */
  const put = (question: string) => {
    const outcome = { is: 'waiting' }
    ask(question).then(
      (answer) => (outcome.is = answer),
      (error: unknown) => (outcome.is = String(error)),
    )
    return outcome
  }
  return { calls, put, asked: () => calls.map(({ questions }) => questions.join(' ')) }
}

const settle = () => vi.advanceTimersByTimeAsync(0)

describe('questions that share a call', () => {
  it('are asked at once when nothing is under way, and together when something is', async () => {
    const { calls, put, asked } = begin()
    const first = put('a')
    await settle()
    const others = ['b', 'c', 'd'].map(put)
    await settle()
    expect(asked()).toEqual(['a'])
    calls[0]?.answer()
    await settle()
    expect(first.is).toBe('A')
    expect(asked()).toEqual(['a', 'b c d'])
    // The answer of the call before is none to them: it was asked before they came.
    expect(others.map(({ is }) => is)).toEqual(['waiting', 'waiting', 'waiting'])
    calls[1]?.answer()
    await settle()
    expect(others.map(({ is }) => is)).toEqual(['B', 'C', 'D'])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('all hear of its failure, which is not that of the next', async () => {
    const { calls, put } = begin()
    put('a')
    await settle()
    const [b, c] = [put('b'), put('c')]
    calls[0]?.answer()
    await settle()
    const d = put('d')
    calls[1]?.fail(new StoreUnavailable('down'))
    await settle()
    expect([b.is, c.is]).toEqual(['StoreUnavailable: down', 'StoreUnavailable: down'])
    calls[2]?.answer()
    await settle()
    expect(d.is).toBe('D')
  })

  it('each have a deadline of their own, and whoever gives up leaves the call to the next', async () => {
    const { calls, put, asked } = begin()
    const first = put('a')
    await vi.advanceTimersByTimeAsync(500)
    const second = put('b')
    await vi.advanceTimersByTimeAsync(300)
    expect([first.is, second.is]).toEqual(['StoreUnavailable: timed out', 'waiting'])
    expect(asked()).toEqual(['a', 'b'])
    calls[1]?.answer()
    await settle()
    expect(second.is).toBe('B')
    // The first call comes back late: nobody takes its end for that of a later one.
    put('c')
    await settle()
    put('d')
    calls[0]?.answer()
    await settle()
    expect(asked()).toEqual(['a', 'b', 'c'])
  })

  it('are not asked any more once their deadline has passed', async () => {
    const { calls, put, asked } = begin()
    put('a')
    await vi.advanceTimersByTimeAsync(100)
    put('b')
    calls[0]?.answer()
    await vi.advanceTimersByTimeAsync(400)
    const late = put('c')
    await vi.advanceTimersByTimeAsync(799)
    put('d')
    // `b` gave up 300 ms after `c` came; then `c` was asked and is given up next, before `d` is asked.
    await vi.advanceTimersByTimeAsync(1)
    expect(late.is).toBe('StoreUnavailable: timed out')
    expect(asked()).toEqual(['a', 'b', 'c', 'd'])
  })

  it('are asked again by whoever comes when the request that made the call has vanished', async () => {
    const { put, asked } = begin()
    put('a')
    await settle()
    // Its timers are gone with it: only the clock goes on.
    vi.clearAllTimers()
    vi.setSystemTime(Date.now() + DEADLINE_MS + 251)
    put('b')
    await settle()
    expect(asked()).toEqual(['a', 'b'])
  })

  it('are at most a hundred in a call', async () => {
    const { calls, put } = begin()
    put('first')
    await settle()
    const many = Array.from({ length: 150 }, (_, i) => put(`q${i}`))
    for (const call of [0, 1, 2]) {
      calls[call]?.answer()
      await settle()
    }
    expect(calls.map(({ questions }) => questions.length)).toEqual([1, 100, 50])
    expect(many.every(({ is }, i) => is === `Q${i}`)).toBe(true)
  })
})
