import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { StoreUnavailable } from '../../src/failure.ts'
import { shareCalls } from '../../src/store/shared-call.ts'

const DEADLINE_MS = 800

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A shared call whose answers the test gives: each question is answered by itself in capitals. */
function begin() {
  const calls: {
    readonly questions: readonly string[]
    readonly withinMs: number
    answer(): void
    fail(error: Error): void
  }[] = []
  const ask = shareCalls(
    (questions: readonly string[], withinMs: number) =>
      new Promise<string[]>((resolve, reject) => {
        const timer = setTimeout(() => reject(new StoreUnavailable('the call timed out')), withinMs)
        const answer = () => {
          clearTimeout(timer)
          resolve(questions.map((question) => question.toUpperCase()))
        }
        calls.push({ questions, withinMs, answer, fail: reject })
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

  it('do not wait long for the call before theirs', async () => {
    const { calls, put, asked } = begin()
    const first = put('a')
    await vi.advanceTimersByTimeAsync(50)
    const others = ['b', 'c'].map(put)
    await vi.advanceTimersByTimeAsync(99)
    expect(asked()).toEqual(['a'])
    await vi.advanceTimersByTimeAsync(1)
    expect(asked()).toEqual(['a', 'b c'])
    calls[1]?.answer()
    await settle()
    expect(others.map(({ is }) => is)).toEqual(['B', 'C'])
    // The first call comes back late: nobody takes its end for that of a later one.
    put('d')
    await settle()
    put('e')
    calls[0]?.answer()
    await settle()
    expect(first.is).toBe('A')
    expect(asked()).toEqual(['a', 'b c', 'd'])
  })

  it('each have a deadline of their own, and a call has no more time than its maker has left', async () => {
    const { calls, put } = begin()
    const first = put('a')
    await vi.advanceTimersByTimeAsync(700)
    const second = put('b')
    await vi.advanceTimersByTimeAsync(100)
    expect([first.is, second.is]).toEqual(['StoreUnavailable: the call timed out', 'waiting'])
    await vi.advanceTimersByTimeAsync(700)
    expect(second.is).toBe('StoreUnavailable: the call timed out')
    expect(calls.map(({ withinMs }) => withinMs)).toEqual([800, 700])
  })

  it('are given up at their own deadline when the request that makes their call has vanished', async () => {
    const asked: (readonly string[])[] = []
    const ask = shareCalls((questions: readonly string[]) => {
      asked.push(questions)
      return new Promise<string[]>(() => undefined)
    }, DEADLINE_MS)
    void ask('a')
    void ask('b')
    await vi.advanceTimersByTimeAsync(50)
    let given = 'waiting'
    ask('c').catch((error: unknown) => (given = String(error)))
    await vi.advanceTimersByTimeAsync(799)
    expect([asked, given]).toEqual([[['a'], ['b', 'c']], 'waiting'])
    await vi.advanceTimersByTimeAsync(1)
    expect(given).toBe('StoreUnavailable: timed out')
  })

  it('are all answered by a slow store, however many come', async () => {
    const outcomes: { is: string }[] = []
    const ask = shareCalls(
      (questions: readonly string[]) =>
        new Promise<readonly string[]>((resolve) => void setTimeout(() => resolve(questions), 300)),
      DEADLINE_MS,
    )
    for (let i = 0; i < 1500; i++) {
      const outcome = { is: 'waiting' }
      outcomes.push(outcome)
      ask(`q${i}`).then(
        (answer) => (outcome.is = answer),
        (error: unknown) => (outcome.is = String(error)),
      )
      await vi.advanceTimersByTimeAsync(2)
    }
    await vi.advanceTimersByTimeAsync(1000)
    expect(outcomes.filter(({ is }, i) => is !== `q${i}`)).toEqual([])
  })

  it('are asked by those who wait when the request that made the call before has vanished', async () => {
    const { put, asked } = begin()
    put('a')
    await settle()
    // Its timers are gone with it.
    vi.clearAllTimers()
    put('b')
    await vi.advanceTimersByTimeAsync(100)
    expect(asked()).toEqual(['a', 'b'])
  })

  it('are at most a hundred in a call', async () => {
    const { calls, put } = begin()
    put('first')
    await settle()
    const many = Array.from({ length: 150 }, (_, i) => put(`q${i}`))
    // Who fills a call makes it at once.
    expect(calls.map(({ questions }) => questions.length)).toEqual([1, 100])
    for (const call of [0, 1, 2]) {
      calls[call]?.answer()
      await settle()
    }
    expect(calls.map(({ questions }) => questions.length)).toEqual([1, 100, 50])
    expect(many.every(({ is }, i) => is === `Q${i}`)).toBe(true)
  })
})
