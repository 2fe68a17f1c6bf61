/** One device of a user: a native client that follows the rules, and what others do with the tokens that it had. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { basic, bearer, form, json } from '../support/user.ts'
import { waitToRetry, type Intent, type Outcome, type Recorder, type Session } from './recorder.ts'

export const soakPassword = 'correct horse battery staple'

/** How long after its end a session's tokens are tried, again and again. */
const PROBE_DELAYS_MS = [0, 300, 1300, 3000]

/** How many calls an application makes at a time. */
const CALLS = 3

export interface DeviceParts {
  readonly recorder: Recorder
  readonly apiSecret: string
  /** Whether the run goes on: when it does not, nothing is tried again. */
  readonly isRunning: () => boolean
}

export interface Device {
  readonly session: () => Session | undefined
  signIn(): Promise<void>
  refresh(): Promise<void>
  check(kind: 'verify' | 'verify-fresh' | 'introspect'): Promise<void>
  /** Revokes the access token alone, expects it to be dead, and gets another. */
  revokeToken(): Promise<void>
  signOut(): Promise<void>
  /** A thief shows a refresh token that was used two generations ago; nothing happens when there is none yet. */
  sufferTheft(): Promise<void>
  /** Somebody shows a token with this session's claims that nobody signed. */
  sufferForgery(): Promise<void>
}

type Kind = Intent['kind']

export function createDevice({ recorder, apiSecret, isRunning }: DeviceParts, user: string, name: string): Device {
  let session: Session | undefined
  /** Refresh tokens of the session, by generation. */
  let used: Session[] = []

  const intent = (kind: Kind, as: Intent['as'], shown?: Session): Intent => ({
    client: `${user}/${name}`,
    user,
    as,
    kind,
    ...(shown && {
      sid: shown.sid,
      ...(kind === 'refresh' || kind === 'logout' ? { generation: shown.generation } : { jti: shown.jti }),
    }),
  })

  /** Repeats a request until the service has answered it, other than by asking for patience. */
  async function insist(meant: Intent, path: string, init: RequestInit): Promise<Outcome> {
    let outcome = await recorder.send(meant, path, init)
    for (let tries = 1; isRunning() && wantsRetry(outcome); tries++) {
      await waitToRetry(outcome.operation, tries)
      outcome = await recorder.send({ ...meant, retryOf: outcome.operation.id }, path, init)
    }
    return outcome
  }

  function keep(gained: Session): void {
    session = gained
    if (used[0]?.sid !== gained.sid) used = []
    used.push(gained)
  }

  function drop(): void {
    if (session) void probe(session)
    session = undefined
  }

  /** Tries everything that an ended session left behind. */
  async function probe(ended: Session): Promise<void> {
    for (const delayMs of PROBE_DELAYS_MS) {
      await delay(delayMs)
      if (!isRunning()) return
      for (const kind of ['verify', 'verify-fresh', 'introspect'] as const) await ask(kind, 'ghost', ended)
      await askRefresh('ghost', ended, randomUUID())
    }
  }

  const checks = {
    verify: ({ accessToken }: Session) => ['/v1/verify', bearer(accessToken)] as const,
    'verify-fresh': ({ accessToken }: Session) => ['/v1/verify?fresh=1', bearer(accessToken)] as const,
    introspect: ({ accessToken }: Session) =>
      ['/oauth/introspect', form({ token: accessToken }, basic('api', apiSecret))] as const,
  }

  /** A check is asked once more if it was broken off, and not if the service could not tell. */
  async function ask(kind: keyof typeof checks, as: Intent['as'], shown: Session): Promise<Outcome> {
    const [path, init] = checks[kind](shown)
    const first = await recorder.send(intent(kind, as, shown), path, init)
    if (first.operation.byService) return first
    await waitToRetry(first.operation, 1)
    return recorder.send({ ...intent(kind, as, shown), retryOf: first.operation.id }, path, init)
  }

  const refreshRequest = (shown: Session, attempt: string) =>
    [
      '/v1/refresh',
      json({ refresh_token: shown.refreshToken, client_id: 'app' }, { 'Idempotency-Key': attempt }),
    ] as const

  async function askRefresh(as: Intent['as'], shown: Session, attempt: string): Promise<Outcome> {
    return recorder.send({ ...intent('refresh', as, shown), attempt }, ...refreshRequest(shown, attempt))
  }

  async function refresh(): Promise<void> {
    if (!session) return
    const attempt = randomUUID()
    const outcome = await insist(
      { ...intent('refresh', 'owner', session), attempt },
      ...refreshRequest(session, attempt),
    )
    if (outcome.session) keep(outcome.session)
    // Only this means that the session is over; anything else leaves it as it was.
    else if (outcome.operation.status === 401) drop()
  }

  return {
    session: () => session,
    refresh,

    async signIn() {
      const init = json({ username: user, password: soakPassword, client_id: 'app' })
      const { session: gained } = await insist(intent('login', 'owner'), '/v1/login', init)
      if (gained) keep(gained)
    },

    async check(kind) {
      if (!session) return
      const shown = session
      // An application calls more than once: servers answer from memory then.
      for (let calls = kind === 'verify' ? CALLS : 1; calls > 0; calls--) await ask(kind, 'owner', shown)
    },

    async revokeToken() {
      if (!session) return
      const { accessToken } = session
      await insist(intent('revoke', 'owner', session), '/oauth/revoke', form({ token: accessToken, client_id: 'app' }))
      await ask('verify-fresh', 'ghost', session)
      await refresh()
    },

    async signOut() {
      if (!session) return
      const ended = session
      // A call of another tab, which may or may not come first.
      void ask('verify', 'owner', ended)
      const { operation } = await insist(
        intent('logout', 'owner', ended),
        '/v1/logout',
        json({ refresh_token: ended.refreshToken }),
      )
      if (operation.status === 204) drop()
    },

    async sufferTheft() {
      const old = used.at(-3)
      if (session && old?.sid === session.sid) await askRefresh('thief', old, randomUUID())
    },

    async sufferForgery() {
      if (!session) return
      const [header, claims] = session.accessToken.split('.')
      const accessToken = `${header}.${claims}.${Buffer.alloc(64, 7).toString('base64url')}`
      await ask('verify', 'forger', { ...session, accessToken, jti: `forged ${session.jti}` })
    },
  }
}

function wantsRetry({ operation: { byService, status } }: Outcome): boolean {
  return byService !== true || status === 503 || status === 429
}
