import { z } from 'zod'
import { canonicalPassword, canonicalUsername } from '../accounts/credentials.ts'
import type { PasswordMatch } from '../accounts/hasher.ts'
import type { Client } from '../client.ts'
import { failed, ok, type Failure, type Result } from '../failure.ts'
import { readActor } from '../http/actor.ts'
import { readJson } from '../http/body.ts'
import { mayActAs } from '../http/client-authentication.ts'
import { readClientNetwork } from '../http/client-address.ts'
import type { RequestContext } from '../http/context.ts'
import { readBrowserClients } from '../http/origin.ts'
import { readDevice } from '../http/device.ts'
import type { Operation } from '../http/operation.ts'
import { problem } from '../http/problem.ts'
import { tokenAnswer, tokenSuccess } from '../http/token-answer.ts'
import type { Log } from '../log.ts'
import type { Parts } from '../parts.ts'
import type { Actor } from '../store/audit.ts'
import type { Account } from '../store/store.ts'
import { beginFamily, familyDigest } from '../tokens/refresh.ts'
import { issueTokens, type SessionTokens } from '../tokens/session-tokens.ts'

const request = z.object({
  username: z.string(),
  password: z.string(),
  client_id: z.string().optional().describe('The first client of the configuration, if there is none.'),
})

export const loginOperation: Operation = {
  id: 'signIn',
  tag: 'Sessions',
  summary: 'Sign in',
  description: 'Opens a session and, beyond as many as a user may have, ends the one that was used least recently.',
  security: ['none', 'client'],
  json: request,
  success: tokenSuccess,
  failures: [
    'client_unknown',
    'client_unauthenticated',
    'client_not_allowed',
    'origin_foreign',
    'credentials_wrong',
    'too_many_attempts',
    'unavailable',
    'overloaded',
  ],
}

/** POST /v1/login: opens the user's session and ends the one before it. */
export function loginEndpoint(parts: Parts) {
  const { clients, issuer } = parts.config
  return async (c: RequestContext): Promise<Response> => {
    const body = await readJson(c, request)
    if (!body.ok) return problem(c, body.failure)
    const { username, password, client_id } = body.value
    const client = await chooseClient(c, clients, client_id)
    if (!client.ok) return problem(c, client.failure)
    const network = readClientNetwork(c, parts.config.clientAddressHeader)
    const addressDigest = network && (await parts.logDigest(network))
    const device = readDevice(c)
    const actor = readActor(c, parts.config, `client:${client.value.id}`)
    const attempt = { username, password, client: client.value, addressDigest, device, log: c.get('log'), actor }
    const tokens = await login(parts, attempt)
    return tokens.ok ? tokenAnswer(c, issuer, tokens.value) : problem(c, tokens.failure)
  }
}

/** The client that is named, or the first one registered; a browser's must be called from its own origin. */
async function chooseClient(
  c: RequestContext,
  clients: readonly Client[],
  named?: string,
): Promise<Result<Client, Failure>> {
  const client = named === undefined ? clients[0] : clients.find(({ id }) => id === named)
  if (!client) return failed({ reason: 'client_unknown' })
  if (client.kind === 'service') return failed({ reason: 'client_not_allowed' })
  if (client.kind === 'native')
    return (await mayActAs(c, client)) ? ok(client) : failed({ reason: 'client_unauthenticated' })
  const here = readBrowserClients(c, [client])
  return here.ok ? ok(client) : here
}

interface Attempt {
  readonly username: string
  readonly password: string
  readonly client: Client
  readonly addressDigest: string | undefined
  readonly device: string
  readonly log: Log
  /** The client, until it is known who signs in. */
  readonly actor: Actor
}

/** Unknown user, wrong password, disabled account: the same answer after the same work (OWASP ASVS 6.3.8). */
async function login(parts: Parts, attempt: Attempt, triesLeft = 1): Promise<Result<SessionTokens, Failure>> {
  const { store, hasher, clock, logDigest } = parts
  const { addressDigest, log, actor } = attempt
  const username = canonicalUsername(attempt.username)
  const attempted = { username, addressDigest }
  const { account, waitMs } = await store.beginLogin({ ...attempted, nowMs: clock.nowMs() })
  if (waitMs > 0) return throttled(parts, attempt, waitMs)
  const match = await hasher.verify(account?.hash, attempt.password)
  if (!match.ok) return match
  const isMatch = match.value === 'right' || match.value === 'outdated'
  if (!account || !isMatch || account.status !== 'active') {
    const counted = await store.failLogin({ ...attempted, nowMs: clock.nowMs(), actor })
    if (counted.waitMs > 0) return throttled(parts, attempt, counted.waitMs)
    log.event('login.failed', {
      user_id: account?.userId,
      // Not the name itself: people type their password there.
      username_digest: await logDigest(username),
      detail: describe(account, match.value),
    })
    return failed({ reason: 'credentials_wrong' })
  }
  const renewed = match.value === 'outdated' ? await hasher.hash(canonicalPassword(attempt.password)) : undefined
  const opened = await openSession(parts, attempt, { account, newHash: renewed?.ok ? renewed.value : undefined })
  if (opened) return opened
  // The account changed meanwhile: perhaps another sign-in has renewed its hash.
  if (triesLeft > 0) return login(parts, attempt, triesLeft - 1)
  log.event('login.failed', { user_id: account.userId, detail: 'the account keeps changing' })
  return failed({ reason: 'credentials_wrong' })
}

async function throttled({ logDigest }: Parts, { username, log }: Attempt, waitMs: number) {
  log.event('login.throttled', { username_digest: await logDigest(canonicalUsername(username)) })
  return failed({ reason: 'too_many_attempts', retryAfterSeconds: Math.ceil(waitMs / 1000) })
}

/** What the log says beside a wrong name or password; the answer says nothing of it. */
function describe(account: Account | undefined, match: PasswordMatch): string | undefined {
  if (match === 'unreadable') return 'the stored hash cannot be read'
  return account && account.status !== 'active' ? `the account is ${account.status}` : undefined
}

/** Undefined if the account is no longer the one that was read. */
async function openSession(
  parts: Parts,
  attempt: Attempt,
  { account, newHash }: { account: Account; newHash: string | undefined },
): Promise<Result<SessionTokens, Failure> | undefined> {
  const { store, clock, random, keyRing, liveCheck } = parts
  const { client, device, log, actor } = attempt
  const { userId } = account
  const token = beginFamily(random, userId)
  const nowMs = clock.nowMs()
  // Before the old session ends: a server that cannot sign must not end it.
  const ring = await keyRing.current()
  const opened = await store.openSession({
    account,
    newHash,
    clientId: client.id,
    sid: token.sid,
    familyDigest: await familyDigest(token),
    device,
    nowMs,
    actor: { ...actor, by: `user:${userId}` },
  })
  if (opened.status === 'changed') return undefined
  if (opened.status === 'wait') return throttled(parts, attempt, opened.waitMs)
  liveCheck.forget(userId)
  log.event('login.succeeded', { user_id: userId, session_id: token.sid, client_id: client.id })
  for (const sid of opened.superseded) log.event('session.superseded', { user_id: userId, session_id: sid })
  return ok(await issueTokens(parts, { ring, grant: opened.grant, refreshToken: token, nowMs }))
}
