import { StoreUnavailable } from '../../src/failure.ts'
import { isBehind, publishedKeys, signingKey, standby, type Ring } from '../../src/tokens/ring.ts'
import { exitCodes, Refusal, type Answer, type ExitCode } from '../answer.ts'
import { createOperator, describeOutage, type Operator } from '../operator.ts'
import { describeForeign, sealingOf } from '../sealing.ts'
import type { Target } from '../target.ts'

export interface Finding {
  readonly check: 'configuration' | 'store' | 'clock' | 'secret' | 'ring'
  readonly status: 'ok' | 'warning' | 'problem'
  readonly found: string
  /** What to do about it. */
  readonly advice?: string
}

/** Beyond this a clock is worth setting right. */
const CLOCK_WARNING_MS = 2000
/** Beyond this, half of the leeway that verifiers commonly grant (60 s) is gone. */
const CLOCK_PROBLEM_MS = 30_000

export async function doctor(target: Target): Promise<Answer> {
  const findings = await examine(target)
  const exitCode = exitCodeOf(findings)
  return {
    text: describeFindings(findings),
    json: { healthy: exitCode === exitCodes.done, checks: findings },
    exitCode,
  }
}

/** All that can be checked from here; what cannot because of an earlier problem is left out. */
export async function examine(target: Target): Promise<Finding[]> {
  const operator = await createOperator(target)
  const problems = [...target.problems, ...(operator.ok ? [] : operator.problems)]
  const configuration = problems.map((found) =>
    problem('configuration', found, 'wrangler.toml explains each variable.'),
  )
  if (!operator.ok) return configuration
  if (problems.length === 0) configuration.push(...checkConfiguration(operator.value))
  try {
    const store = [await checkStore(operator.value), await checkClock(operator.value)]
    return [...configuration, ...store, ...(await checkRing(operator.value))]
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    return [...configuration, problem('store', describeOutage(target, error))]
  }
}

export function describeFindings(findings: readonly Finding[]): string {
  return findings
    .map(({ check, status, found, advice }) => {
      const line = `${status.padEnd(9)}${check.padEnd(15)}${found}`
      return advice === undefined ? line : `${line}\n${' '.repeat(24)}${advice}`
    })
    .join('\n')
}

export function exitCodeOf(findings: readonly Finding[]): ExitCode {
  const problems = findings.filter(({ status }) => status === 'problem')
  if (problems.length === 0) return exitCodes.done
  return problems.some(({ check }) => check === 'store') ? exitCodes.unavailable : exitCodes.refused
}

function checkConfiguration({ config }: Operator): Finding[] {
  const isPublic = config.issuer.startsWith('https:')
  if (config.registration === 'open' && isPublic)
    return [warning('configuration', 'REGISTRATION is open: anybody may register.', 'Close it when all are in.')]
  return [fine('configuration', `complete and valid, for ${config.issuer}.`)]
}

async function checkStore({ config, target, nowMs, probeWrite }: Operator): Promise<Finding> {
  // The first call opens the connection: the second one tells what a call takes.
  await nowMs()
  const tookMs = Math.round(await probeWrite())
  const found = `${target.store} answers and takes writes, in ${tookMs} ms.`
  if (tookMs < config.store.timeoutMs) return fine('store', found)
  return warning(
    'store',
    `${found} That is longer than STORE_TIMEOUT_MS (${config.store.timeoutMs}).`,
    'From far away that is no wonder; if servers need as long, raise STORE_TIMEOUT_MS or choose a nearer region.',
  )
}

async function checkClock({ clockOffsetMs }: Operator): Promise<Finding> {
  const offsetMs = await clockOffsetMs()
  const distanceMs = Math.abs(offsetMs)
  const found = `this machine's clock is ${(distanceMs / 1000).toFixed(1)} s ${offsetMs < 0 ? 'behind' : 'ahead of'} the store's.`
  if (distanceMs <= CLOCK_WARNING_MS) return fine('clock', found)
  const advice = 'Let NTP set it: tokens are dated by the clock of the server that signs them.'
  return distanceMs > CLOCK_PROBLEM_MS ? problem('clock', found, advice) : warning('clock', found, advice)
}

async function checkRing(operator: Operator): Promise<Finding[]> {
  const { tools, nowMs } = operator
  const now = await nowMs()
  const ring = await readRing(operator)
  if ('status' in ring) return [ring]
  if (ring.length === 0) return [fine('ring', 'there is none yet: the first request makes it.')]
  return [await checkSealing(publishedKeys(ring, now, tools.times), operator), checkTimes(ring, now, operator)]
}

async function readRing(operator: Operator): Promise<Ring | Finding> {
  try {
    return await operator.readRing()
  } catch (error) {
    if (error instanceof Refusal) return problem('ring', error.message)
    throw error
  }
}

async function checkSealing(keys: Ring, { tools }: Operator): Promise<Finding> {
  const { previous, foreign } = await sealingOf(keys, tools)
  if (foreign.length > 0) return problem('secret', describeForeign(foreign, keys))
  if (previous.length === 0) return fine('secret', 'opens every published key.')
  const found = `${previous.length} of ${keys.length} published keys are sealed under LATCHKEY_SECRET_PREVIOUS.`
  return warning('secret', found, 'Run npm run keys -- reseal before you give that one up.')
}

function checkTimes(ring: Ring, now: number, { tools }: Operator): Finding {
  const tended = 'The cron trigger adds it: see that it runs, or run npm run keys -- rotate.'
  const signing = signingKey(ring, now)
  if (!signing) return problem('ring', 'no key signs.', 'Any request to the service makes one: see that it runs.')
  if (isBehind(ring, now, tools.times)) return warning('ring', 'a key signs, and there is no standby.', tended)
  return fine(
    'ring',
    standby(ring, now) ? 'a key signs, and there is a standby.' : 'a first key signs; its standby is not due yet.',
  )
}

function fine(check: Finding['check'], found: string): Finding {
  return { check, status: 'ok', found }
}

function warning(check: Finding['check'], found: string, advice: string): Finding {
  return { check, status: 'warning', found, advice }
}

function problem(check: Finding['check'], found: string, advice?: string): Finding {
  return { check, status: 'problem', found, ...(advice !== undefined && { advice }) }
}
