import { z } from 'zod'
import type { Client } from '../../client.ts'
import { failed, ok, type Failure, type Result } from '../../failure.ts'
import { readActor } from '../../http/actor.ts'
import { readJson } from '../../http/body.ts'
import { authenticateService } from '../../http/client-authentication.ts'
import type { RequestContext } from '../../http/context.ts'
import { toLabel } from '../../http/device.ts'
import type { Operation } from '../../http/operation.ts'
import { problem } from '../../http/problem.ts'
import { describeTokens, tokensBody } from '../../http/token-answer.ts'
import type { Log } from '../../log.ts'
import type { Parts } from '../../parts.ts'
import type { Actor } from '../../store/audit.ts'
import { beginFamily, familyDigest } from '../../tokens/refresh.ts'
import { issueTokens, type SessionTokens } from '../../tokens/session-tokens.ts'
import { subOf, userIdOf } from '../../tokens/subject.ts'
import { ADMIN_ROLE } from './administrator.ts'
import { joinNames, roleList } from './roles.ts'

/** How somebody was authenticated, in the names of RFC 8176 section 2. */
const amr = z.enum([
  'face',
  'fpt',
  'geo',
  'hwk',
  'iris',
  'kba',
  'mca',
  'mfa',
  'otp',
  'pin',
  'pwd',
  'rba',
  'retina',
  'sc',
  'sms',
  'swk',
  'tel',
  'user',
  'vbm',
  'wia',
])

/** What the service calls somebody: visible ASCII, since it becomes a header and a claim. */
const subject = z.string().regex(/^[\x21-\x7e]{1,128}$/)

const opening = z.strictObject({
  subject,
  roles: roleList.optional(),
  amr: z.array(amr).optional(),
  client_id: z.string().optional().describe('A native client; the first one registered by default.'),
  device: z.string().optional().describe('What the user may call it. Cut to 32 characters of ASCII.'),
})

const opened = tokensBody.extend({
  user_id: z.string().describe('The `sub`: the service’s client id and the subject.'),
})

const common = {
  tag: 'Administration',
  security: ['client'],
  failures: ['client_unauthenticated', 'client_not_allowed', 'unavailable'],
} as const

export const openSubjectSessionOperation: Operation = {
  ...common,
  id: 'openSubjectSession',
  summary: 'Open a session for somebody whom the calling service has authenticated',
  description: 'For services with `opens_sessions`. From then on it is a session as any other.',
  json: opening,
  success: { status: 200, description: 'The session’s tokens.', content: { 'application/json': opened } },
  failures: [...common.failures, 'client_unknown'],
}

/**
 * POST /v1/admin/sessions: opens a session for somebody whom a service has authenticated itself, for a native client. From then on it
 * is a session as any other.
 */
export function openSubjectSessionEndpoint(parts: Parts) {
  const { clients } = parts.config
  return async (c: RequestContext): Promise<Response> => {
    const service = await authenticateOpener(c, clients)
    if (!service.ok) return problem(c, service.failure)
    const body = await readJson(c, opening)
    if (!body.ok) return problem(c, body.failure)
    const client = chooseClient(clients, body.value.client_id)
    if (!client.ok) return problem(c, client.failure)
    const sub = subOf(service.value.id, body.value.subject)
    const actor = readActor(c, parts.config, `client:${service.value.id}`)
    const tokens = await openSession(parts, { ...body.value, sub, client: client.value, actor, log: c.get('log') })
    if (!tokens.ok) return problem(c, tokens.failure)
    const answer: z.infer<typeof opened> = { ...describeTokens(tokens.value), user_id: sub }
    return c.json(answer, 200, { 'Cache-Control': 'no-store', Pragma: 'no-cache' })
  }
}

const ending = z.strictObject({ subject })

export const endSubjectSessionsOperation: Operation = {
  ...common,
  id: 'endSubjectSessions',
  summary: 'End all sessions of somebody whom the calling service authenticates',
  json: ending,
  success: { status: 204, description: 'They have ended, if there were any.' },
}

/** POST /v1/admin/sessions/end: ends all sessions of somebody whom the same service authenticates. */
export function endSubjectSessionsEndpoint(parts: Parts) {
  const { store, clock, liveCheck, config } = parts
  return async (c: RequestContext): Promise<Response> => {
    const service = await authenticateOpener(c, config.clients)
    if (!service.ok) return problem(c, service.failure)
    const body = await readJson(c, ending)
    if (!body.ok) return problem(c, body.failure)
    const userId = await userIdOf(subOf(service.value.id, body.value.subject))
    const actor = readActor(c, config, `client:${service.value.id}`)
    try {
      const ended = await store.endAll({ userId, nowMs: clock.nowMs(), actor })
      for (const sid of ended) c.get('log').event('session.ended', { user_id: userId, session_id: sid, by: actor.by })
    } finally {
      liveCheck.forget(userId)
    }
    return c.body(null, 204, { 'Cache-Control': 'no-store' })
  }
}

/** A service to which the configuration entrusts this. */
async function authenticateOpener(c: RequestContext, clients: readonly Client[]): Promise<Result<Client, Failure>> {
  const client = await authenticateService(c, clients)
  if (!client.ok || client.value.opensSessions) return client
  c.get('log').event('client.refused', { client_id: client.value.id })
  return failed({ reason: 'client_not_allowed' })
}

/** A native one: a browser's refresh token may stand in no JSON. */
function chooseClient(clients: readonly Client[], named: string | undefined): Result<Client, Failure> {
  const client = clients.find(({ id, kind }) => (named === undefined ? kind === 'native' : id === named))
  if (!client) return failed({ reason: 'client_unknown' })
  return client.kind === 'native' ? ok(client) : failed({ reason: 'client_not_allowed' })
}

interface Opening extends z.infer<typeof opening> {
  readonly sub: string
  readonly client: Client
  readonly actor: Actor
  readonly log: Log
}

async function openSession(parts: Parts, wanted: Opening): Promise<Result<SessionTokens, Failure>> {
  const { store, clock, random, keyRing, liveCheck } = parts
  const { sub, client, actor, log } = wanted
  // Administrators are accounts of Latchkey's own: otherwise who holds a service's secret could make some.
  if (wanted.roles?.includes(ADMIN_ROLE))
    return failed({
      reason: 'bad_request',
      detail: `The role ${ADMIN_ROLE} cannot be given to a session of this kind.`,
    })
  const userId = await userIdOf(sub)
  const token = beginFamily(random, userId)
  const nowMs = clock.nowMs()
  // Before the old session ends: a server that cannot sign must not end it.
  const ring = await keyRing.current()
  const made = await store.openSubjectSession({
    userId,
    subject: sub,
    roles: joinNames(wanted.roles ?? []),
    amr: joinNames(wanted.amr ?? []),
    clientId: client.id,
    sid: token.sid,
    familyDigest: await familyDigest(token),
    device: toLabel(wanted.device ?? ''),
    nowMs,
    actor,
  })
  liveCheck.forget(userId)
  log.event('session.opened', {
    user_id: userId,
    subject: sub,
    session_id: token.sid,
    client_id: client.id,
    by: actor.by,
  })
  for (const sid of made.superseded) log.event('session.superseded', { user_id: userId, session_id: sid })
  return ok(await issueTokens(parts, { ring, grant: made.grant, refreshToken: token, nowMs }))
}
