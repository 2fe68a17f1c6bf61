/** One soak: a fleet, its users, and everything that can go wrong. Says what happened; whether that was right is the checker's to say. */
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import type { BalancerKind } from '../../src/local/fleet/balancer.ts'
import type { WorkerBundle } from '../../src/local/worker-bundle.ts'
import { createDice } from './dice.ts'
import { runFaults } from './faults.ts'
import type { Bounds, History, HistoryLine } from './history.ts'
import { describePlan, planFaults } from './plan.ts'
import { createRecorder, type Recorder } from './recorder.ts'
import { watchStandstill } from './standstill.ts'
import { startStage, type Stage } from './stage.ts'
import { runWorkload } from './workload.ts'

export interface SoakOptions {
  readonly seed: number
  readonly minutes: number
  readonly users: number
  readonly balancer: BalancerKind
  readonly bundle: WorkerBundle
  readonly folder: string
  readonly onProgress: (text: string) => void
  /** Gets each line of the history as it is written. */
  readonly onLine?: (line: HistoryLine) => void
}

/** A request makes three store calls at most, each of 800 ms at most; the rest is for a machine that is busy. */
const ANSWER_MS = 3 * 800 + 1600

const bounds: Bounds = {
  answerMs: ANSWER_MS,
  // A sign-in may also wait for five seconds in the hasher's queue.
  hashedAnswerMs: ANSWER_MS + 5000,
  cacheMs: 1000,
  staleMs: 30_000,
  accessMs: 300_000,
  // Replicas hear of a write within milliseconds, unless their machine is busy.
  lossMs: 2000,
}

/** Sign-ins per second at the beginning: each costs 60 ms of a core. */
const RAMP_PER_SECOND = 12
const QUIET_USERS = 10
/** Without faults at the end, so that what they did can be seen. */
const CALM_MS = 10_000
const PROGRESS_MS = 10_000

/** @returns the history, in the order of time in which things ended */
export async function runSoak(options: SoakOptions): Promise<History> {
  const { seed, minutes, users, balancer, bundle, folder, onProgress, onLine } = options
  const history: HistoryLine[] = []
  const write = (line: HistoryLine) => {
    history.push(line)
    onLine?.(line)
  }
  write({ line: 'run', seed, minutes, users, bounds })
  let recorder: Recorder | undefined
  onProgress('Starting the fleet…')
  const stage = await startStage({ bundle, folder, balancer, onLine: (_, text) => writeEvent(text, recorder) })
  try {
    const names = Array.from({ length: users }, (_, index) => `user-${index + 1}`)
    await stage.createAccounts(names)
    recorder = createRecorder(stage.fleet.url, write)
    const { nowMs } = recorder
    const ticker = setInterval(() => onProgress(describeProgress(history, nowMs())), PROGRESS_MS)
    const endWatch = watchStandstill(recorder)
    await drive(options, { stage, recorder, names }).finally(() => {
      clearInterval(ticker)
      endWatch()
    })
  } finally {
    await stage.stop()
  }
  return history
}

interface Cast {
  readonly stage: Stage
  readonly recorder: Recorder
  readonly names: readonly string[]
}

/** Lets users and faults loose on the fleet, and resolves when the last request has been answered. */
async function drive({ seed, minutes, onProgress }: SoakOptions, { stage, recorder, names }: Cast): Promise<void> {
  const lastsMs = minutes * 60_000
  const rampMs = (names.length / RAMP_PER_SECOND) * 1000
  const quietUsernames = names.slice(0, QUIET_USERS)
  const plan = planFaults({ seed, fromMs: rampMs, untilMs: lastsMs - CALM_MS })
  onProgress([`Seed ${seed}. The plan of faults:`, ...describePlan(plan)].join('\n'))
  let isRunning = true
  const workload = runWorkload({
    recorder,
    apiSecret: stage.fleet.apiSecret,
    isRunning: () => isRunning,
    usernames: names.slice(QUIET_USERS),
    quietUsernames,
    dice: createDice(seed + 1),
    rampMs,
  })
  async function faultsAndCalm(): Promise<void> {
    await runFaults({ stage, recorder, quietUsernames }, plan)
    // A fault that waited for the one before it may end late: the calm begins after the last.
    await delay(Math.max(CALM_MS, lastsMs - recorder.nowMs()))
  }
  try {
    // The workload ends first only by failing.
    await Promise.race([faultsAndCalm(), workload])
  } finally {
    isRunning = false
  }
  await workload
}

const logged = z.object({
  event: z.string(),
  user_id: z.string().optional(),
  session_id: z.string().optional(),
  generation: z.number().optional(),
  detail: z.string().optional(),
})
/** What the checker and its readers care for: the rest follows from the requests. */
const keptEvents = /^(?:refresh\.|request\.failed|key\.|config\.)/u

function writeEvent(text: string, recorder: Recorder | undefined): void {
  if (!recorder || !text.startsWith('{')) return
  const parsed = logged.safeParse(JSON.parse(text))
  if (!parsed.success || !keptEvents.test(parsed.data.event)) return
  const { event, ...rest } = parsed.data
  recorder.write({ line: 'event', atMs: recorder.nowMs(), event, ...rest })
}

function describeProgress(history: History, nowMs: number): string {
  const recent = history
    .slice(-20_000)
    .flatMap((line) => (line.line === 'operation' && line.endMs > nowMs - PROGRESS_MS ? [line] : []))
  const unavailable = recent.filter(({ status }) => status === 503).length
  const broken = recent.filter(({ byService }) => byService !== true).length
  const faults = history.flatMap((line) => (line.line === 'fault' ? [line] : []))
  const ended = new Set(faults.filter(({ phase }) => phase === 'end').map(({ id }) => id))
  const under = faults.filter(({ id, phase }) => phase === 'begin' && !ended.has(id)).map(({ kind }) => kind)
  const rate = Math.round((recent.length * 1000) / PROGRESS_MS)
  const going = under.length > 0 ? `   now: ${under.join(', ')}` : ''
  return `${String(Math.round(nowMs / 1000)).padStart(5)} s   ${rate} requests/s   ${unavailable} × 503   ${broken} broken off${going}`
}
