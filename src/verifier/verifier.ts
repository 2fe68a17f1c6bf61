/**
 * Verifies Latchkey's access tokens, in any runtime with `fetch` and WebCrypto.
 *
 * @example
 * ```ts
 * const verifier = createVerifier({ issuer, audience, revocation: 'feed', clientId, clientSecret })
 * const result = await verifier.verify(token)
 * if (!result.ok) return new Response(null, { status: result.status })
 * result.claims.sub
 * ```
 */
import { repeat } from './background.ts'
import { createFeed, type FeedState } from './feed.ts'
import type { IntrospectionState } from './introspection.ts'
import { createIssuer } from './issuer.ts'
import { createKeys, type KeysState } from './keys.ts'
import { parseOptions, type VerifierOptions } from './options.ts'
import { createRemembered } from './remembered.ts'
import type { RefusalCode, Verification } from './result.ts'
import { createRule } from './rule.ts'
import type { WaitUntil } from './shared-call.ts'

export type { AccessClaims } from './claims.ts'
export type { VerifierClock } from './clock.ts'
export type { FeedState } from './feed.ts'
export type { IntrospectionState } from './introspection.ts'
export type { FetchAnswer, FetchInit, VerifierFetch } from './issuer.ts'
export type { KeysState } from './keys.ts'
export type { RevocationMode, VerifierOptions } from './options.ts'
export type { Accepted, CheckedBy, RefusalCode, Refused, Verification } from './result.ts'
export type { WaitUntil } from './shared-call.ts'

export interface Verifier {
  /**
   * Says whether `token` is good now, and why not. Never rejects because of a token or of the issuer.
   *
   * In Workers, pass `waitUntil` of the request's context: the feed is then read on after the request was answered.
   */
  verify(token: string, options?: VerifyOptions): Promise<Verification>
  /** Ends the reading of the feed. What is verified afterwards is checked by asking the issuer, once the feed is stale. */
  close(): void
  /** For metrics and debugging. */
  state(): VerifierState
}

export interface VerifyOptions {
  readonly waitUntil?: WaitUntil | undefined
}

export interface VerifierState {
  readonly keys: KeysState
  /** Only with `revocation: 'feed'`. */
  readonly feed?: FeedState
  readonly introspection: IntrospectionState
  readonly accepted: number
  readonly refused: Readonly<Partial<Record<RefusalCode, number>>>
  /** Tokens whose signature need not be checked again. */
  readonly remembered: number
}

/** @throws {TypeError} when an option is missing or wrong. Does not wait for the issuer, which may be down. */
export function createVerifier(options: VerifierOptions): Verifier {
  const settings = parseOptions(options)
  const issuer = createIssuer(settings)
  const keys = createKeys({ ...settings, issuer })
  const remembered = createRemembered(settings.rememberedTokens)
  const feed = settings.revocation === 'feed' ? createFeed({ ...settings, issuer, keys }) : undefined
  const rule = createRule({ settings, issuer, keys, remembered, feed })
  const stop =
    feed && settings.background
      ? repeat(settings.pollMs, () => {
          feed.tend()
          keys.tend()
        })
      : undefined
  let accepted = 0
  const refused: Partial<Record<RefusalCode, number>> = {}
  return {
    async verify(token, { waitUntil } = {}) {
      const result = await rule.judge(token, waitUntil)
      if (result.ok) accepted += 1
      else refused[result.code] = (refused[result.code] ?? 0) + 1
      return result
    },
    close() {
      stop?.()
      feed?.close()
    },
    state: () => ({
      keys: keys.state(),
      ...(feed ? { feed: feed.state() } : {}),
      introspection: rule.state(),
      accepted,
      refused: { ...refused },
      remembered: remembered.size(),
    }),
  }
}
