import { createClock, systemClock, type Clock, type VerifierClock } from './clock.ts'
import type { IssuerOptions, VerifierFetch } from './issuer.ts'

/**
 * How revocation is looked at:
 *
 * - `feed`: from memory, by following the issuer's revocation feed. Needs client credentials.
 * - `introspect`: by asking the issuer about every token. Needs client credentials.
 * - `none`: not at all; a token is good until it expires. Needs no credentials, so it also fits a browser.
 */
export type RevocationMode = 'feed' | 'introspect' | 'none'

export interface VerifierOptions {
  /** Compared with `iss` byte for byte; the address of its endpoints too. https, but for localhost. */
  readonly issuer: string
  /** `aud` of a token must name it, or one of them. */
  readonly audience: string | readonly string[]
  readonly revocation: RevocationMode
  /** How old the feed may be before the issuer is asked about each token instead. Default 10. */
  readonly maxStalenessSeconds?: number | undefined
  /** How often the feed is read. Default 0.5, at most `maxStalenessSeconds`. */
  readonly pollSeconds?: number | undefined
  readonly clientId?: string | undefined
  readonly clientSecret?: string | undefined
  /** How far this machine's clock may be off. Default 5, at most 50. */
  readonly clockToleranceSeconds?: number | undefined
  /** The deadline of each call to the issuer, which may hold a read of the feed for 2 s. Default 3. */
  readonly timeoutSeconds?: number | undefined
  /** How many tokens are remembered, so that their signatures are not checked again. Default 10,000; 0 for none. */
  readonly rememberedTokens?: number | undefined
  /**
   * Whether a timer keeps reading the feed until `close()`. Default: yes, but not in workerd, where no timer outlives
   * its request. Without it, the feed is read when tokens are verified.
   */
  readonly background?: boolean | undefined
  /** Whether opaque tokens (`at1.…`) are taken, by asking the issuer about each. Default: yes, but not with `none`. */
  readonly opaque?: boolean | undefined
  readonly fetch?: VerifierFetch | undefined
  readonly clock?: VerifierClock | undefined
}

/** Below the minute for which the issuer remembers a revocation after the tokens that it concerns have expired. */
const MOST_TOLERANCE_SECONDS = 50

const NAMES = new Set(
  'issuer audience revocation maxStalenessSeconds pollSeconds clientId clientSecret clockToleranceSeconds timeoutSeconds rememberedTokens background opaque fetch clock'.split(
    ' ',
  ),
)

/** Options with defaults in place, checked. */
export interface Settings extends IssuerOptions {
  readonly audiences: readonly string[]
  readonly revocation: RevocationMode
  readonly maxStalenessSeconds: number
  readonly pollMs: number
  readonly toleranceSeconds: number
  readonly rememberedTokens: number
  readonly background: boolean
  readonly opaque: boolean
  readonly clock: Clock
}

/** @throws {TypeError} that says which option is wrong, and what it should be */
export function parseOptions(options: VerifierOptions): Settings {
  for (const name of Object.keys(options)) if (!NAMES.has(name)) wrong(name, 'left out: there is no such option')
  const { issuer, audience, revocation, clientId, clientSecret } = options
  checkIssuer(issuer)
  const audiences = typeof audience === 'string' ? [audience] : audience
  if (!Array.isArray(audiences) || audiences.length === 0 || !audiences.every(isText))
    wrong('audience', 'a string or a list of strings')
  if (!['feed', 'introspect', 'none'].includes(revocation)) wrong('revocation', "'feed', 'introspect' or 'none'")
  const hasCredentials = isText(clientId) && isText(clientSecret)
  if (revocation !== 'none' && !hasCredentials)
    wrong('clientId and clientSecret', `those of a service client: revocation '${revocation}' needs them`)
  const maxStalenessSeconds = inRange('maxStalenessSeconds', options.maxStalenessSeconds ?? 10, [0, 3600])
  const pollSeconds = inRange('pollSeconds', options.pollSeconds ?? 0.5, [0.05, 3600])
  if (revocation === 'feed' && pollSeconds > Math.max(maxStalenessSeconds, 0.5))
    wrong('pollSeconds', 'no more than maxStalenessSeconds')
  const rememberedTokens = inRange('rememberedTokens', options.rememberedTokens ?? 10_000, [0, 10_000_000])
  if (!Number.isInteger(rememberedTokens)) wrong('rememberedTokens', 'an integer')
  const background = options.background ?? !isWorkerd()
  return {
    issuer,
    audiences: [...audiences],
    revocation,
    credentials: hasCredentials ? { clientId, clientSecret } : undefined,
    maxStalenessSeconds,
    pollMs: pollSeconds * 1000,
    toleranceSeconds: inRange('clockToleranceSeconds', options.clockToleranceSeconds ?? 5, [0, MOST_TOLERANCE_SECONDS]),
    timeoutMs: inRange('timeoutSeconds', options.timeoutSeconds ?? 3, [0.1, 60]) * 1000,
    rememberedTokens,
    background: background && revocation === 'feed',
    opaque: (options.opaque ?? true) && revocation !== 'none',
    // Called by itself: browsers and workerd refuse `fetch` as a method of another object.
    fetch: options.fetch ?? ((url, init) => fetch(url, init)),
    clock: createClock(options.clock ?? systemClock),
  }
}

function checkIssuer(issuer: string): void {
  const url = URL.canParse(issuer) ? new URL(issuer) : wrong('issuer', 'a URL')
  const isLocal = /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal))
    wrong('issuer', 'an https URL (http only for localhost)')
  // RFC 8414 section 2
  if (/[?#\s]/.test(issuer) || url.username !== '' || url.password !== '')
    wrong('issuer', 'a URL without query, fragment and credentials, nor white space')
}

function inRange(name: string, value: unknown, [least, most]: readonly [number, number]): number {
  if (typeof value === 'number' && value >= least && value <= most) return value
  return wrong(name, `a number from ${least} to ${most}`)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function wrong(name: string, expected: string): never {
  throw new TypeError(`latchkey/verifier: ${name} must be ${expected}`)
}

/** https://developers.cloudflare.com/workers/runtime-apis/web-standards/#navigatoruseragent */
function isWorkerd(): boolean {
  return 'navigator' in globalThis && navigator.userAgent === 'Cloudflare-Workers'
}
