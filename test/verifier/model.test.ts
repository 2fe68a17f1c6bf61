import fc from 'fast-check'
import { beforeAll, expect, it } from 'vitest'
import { createVerifier, type Verification } from '../../src/verifier/verifier.ts'
import { createTestIssuer, makeKey, type SigningKey, type TestIssuer } from './support/issuer.ts'

const MAX_STALENESS_SECONDS = 10
const POLL_MS = 500
const KEYS_COOLDOWN_MS = 30_000
const TOLERANCE_MS = 5000
const FLOAT_ERROR_SECONDS = 0.001

let keys: SigningKey[]
beforeAll(async () => void (keys = [await makeKey('key-1'), await makeKey('key-2')]))

const kind = <K extends string>(name: K) => fc.constant(name)
const action = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: kind('verify'), token: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('sign'), key: fc.nat(1) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: kind('revoke'),
      what: fc.constantFrom('sid' as const, 'jti' as const),
      token: fc.nat(5),
    }),
  },
  fc.record({ kind: kind('withdraw'), key: fc.nat(1) }),
  { weight: 8, arbitrary: fc.record({ kind: kind('pass'), ms: fc.nat(2000) }) },
  { weight: 3, arbitrary: fc.record({ kind: kind('pass'), ms: fc.nat(30_000) }) },
  fc.record({ kind: kind('sleep'), ms: fc.nat(60_000) }),
  fc.record({ kind: kind('set clock'), ms: fc.integer({ min: -600_000, max: 600_000 }) }),
  {
    weight: 2,
    arbitrary: fc.record({
      kind: kind('fail'),
      how: fc.constantFrom('feed' as const, 'refusing' as const, 'lost' as const, 503 as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: kind('heal') }) },
  fc.record({ kind: kind('slow down'), ageMs: fc.nat(1000), delayMs: fc.nat(2000) }),
  fc.record({ kind: kind('reset cursors') }),
)
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never

interface KnownToken {
  readonly token: string
  readonly sid: string
  readonly jti: string
  readonly kid: string
  readonly expMs: number
  revokedAtMs: number | undefined
}

/** The issuer, and what is true of its tokens. */
class World {
  readonly tokens: KnownToken[] = []
  readonly withdrawn = new Set<string>()
  faultEndedMs = Number.NEGATIVE_INFINITY
  private readonly issuer: TestIssuer
  /** Not both in one life: when sleep stops one clock, only the other tells of it. */
  private readonly sleeps: boolean

  constructor(issuer: TestIssuer, sleeps: boolean) {
    this.issuer = issuer
    this.sleeps = sleeps
  }

  async sign(index: number): Promise<void> {
    const key = keys[index]
    if (!key || this.withdrawn.has(key.kid)) return
    const { length } = this.tokens
    const [sid, jti, exp] = [`sid-${length}`, `jti-${length}`, Math.floor(this.issuer.time.issuerMs / 1000) + 300]
    const token = await this.issuer.sign({ sid, jti, exp }, {}, key)
    this.tokens.push({ token, sid, jti, kid: key.kid, expMs: exp * 1000, revokedAtMs: undefined })
  }

  /** The `back`th newest. */
  recent = (back: number) => this.tokens.at(-1 - (back % this.tokens.length))

  revoke(what: 'sid' | 'jti', token: KnownToken | undefined): void {
    if (!token) return
    this.issuer.revoke(what, token[what])
    token.revokedAtMs ??= this.issuer.time.issuerMs
  }

  withdraw(index: number): void {
    const kid = keys[index]?.kid ?? ''
    this.withdrawn.add(kid)
    this.issuer.revoke('kid', kid)
    for (const token of this.tokens) if (token.kid === kid) token.revokedAtMs ??= this.issuer.time.issuerMs
  }

  do(step: Exclude<Action, { kind: 'verify' | 'sign' }>): void {
    const { issuer } = this
    const { time } = issuer
    switch (step.kind) {
      case 'revoke':
        return this.revoke(step.what, this.recent(step.token))
      case 'withdraw':
        return this.withdraw(step.key)
      case 'pass':
        return time.advance(step.ms)
      case 'sleep':
        if (this.sleeps) {
          time.wallMs += step.ms
          time.issuerMs += step.ms
        }
        return undefined
      case 'set clock':
        time.wallMs += this.sleeps ? Math.abs(step.ms) : step.ms
        return undefined
      case 'fail':
        issuer.fault = step.how
        return undefined
      case 'heal':
        if (issuer.fault !== 'none') this.faultEndedMs = time.issuerMs
        issuer.fault = 'none'
        return undefined
      case 'slow down':
        Object.assign(issuer, { feedAgeMs: step.ageMs, feedDelayMs: step.delayMs })
        return undefined
      case 'reset cursors':
        return issuer.resetCursors()
      default:
        return step satisfies never
    }
  }

  /** What is wrong with an answer, if anything. */
  problemWith({ revokedAtMs, expMs }: KnownToken, result: Verification): string | undefined {
    const { time, fault } = this.issuer
    const sinceFaultMs = fault === 'none' ? time.issuerMs - this.faultEndedMs : 0
    if (result.ok) {
      const { stalenessSeconds = Number.NaN, checked } = result
      const revokedForSeconds = revokedAtMs === undefined ? 0 : (time.issuerMs - revokedAtMs) / 1000
      if (checked === 'feed' && !(stalenessSeconds <= MAX_STALENESS_SECONDS)) return `stale by ${stalenessSeconds} s`
      const isKnown = revokedForSeconds <= stalenessSeconds + FLOAT_ERROR_SECONDS
      return isKnown ? undefined : `revoked ${revokedForSeconds} s ago, and staleness ${stalenessSeconds} s`
    }
    const isTrue = {
      revoked: revokedAtMs !== undefined,
      expired: Math.max(time.wallMs, time.issuerMs) >= expMs + TOLERANCE_MS - FLOAT_ERROR_SECONDS * 1000,
      revocation_unknown: sinceFaultMs <= POLL_MS,
      keys_unavailable: sinceFaultMs <= KEYS_COOLDOWN_MS,
      invalid_token: false,
    }[result.code]
    return isTrue ? undefined : `refused: ${result.code} (${result.detail}), ${sinceFaultMs} ms after a fault`
  }
}

it('never takes a token revoked longer ago than it says, nor refuses a good one for longer than a poll', async () => {
  const seen = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { minLength: 10, maxLength: 80 }),
      fc.record({ sleeps: fc.boolean(), pageSize: fc.integer({ min: 1, max: 4 }) }),
      async (actions, { sleeps, pageSize }) => {
        const issuer = Object.assign(await createTestIssuer(keys), { pageSize })
        const world = new World(issuer, sleeps)
        const verifier = createVerifier({ ...issuer.options('feed'), maxStalenessSeconds: MAX_STALENESS_SECONDS })
        await world.sign(0)
        await world.sign(1)
        for (const step of actions) {
          if (step.kind === 'sign') await world.sign(step.key)
          else if (step.kind !== 'verify') world.do(step)
          else {
            const known = world.recent(step.token)
            if (!known) throw new Error('no token')
            const begun: Promise<unknown>[] = []
            const result = await verifier.verify(known.token, { waitUntil: (promise) => void begun.push(promise) })
            expect(world.problemWith(known, result)).toBeUndefined()
            const outcome = result.ok ? result.checked : result.code
            seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
            await Promise.all(begun)
          }
        }
      },
    ),
    { numRuns: 1000, verbose: true },
  )
  console.log(Object.fromEntries(seen))
  expect([...seen.keys()].toSorted()).toEqual([
    'expired',
    'feed',
    'introspection',
    'keys_unavailable',
    'revocation_unknown',
    'revoked',
  ])
})
