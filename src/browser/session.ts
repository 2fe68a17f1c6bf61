import { SessionError, type Outcome, type Session, type SessionOptions, type SessionStatus } from './api.ts'
import { createAuthorizedFetch } from './authorized-fetch.ts'
import { createBackoff } from './backoff.ts'
import { exclusively } from './exclusive.ts'
import { createFeed } from './feed.ts'
import { createMemory } from './memory.ts'
import type { Message } from './messages.ts'
import { startStopwatch, type Stopwatch } from './stopwatch.ts'
import type { Surroundings } from './surroundings.ts'
import { createTabs } from './tabs.ts'
import { createToken, describeToken, isDue, isUsable, type Token } from './token.ts'
import { createWire, readFailure, readGrant, readRefreshAnswer, REFRESH, SIGNED_OUT } from './wire.ts'
import type { Ending, Failing, Grant } from './wire.ts'

/** How long to wait for a token of another tab's, where there may be another tab: the price of each reload. */
const ASK_MS = 250
/** ... and where there was one that was refreshing a moment ago: only a busy machine takes that long. */
const TOLD_MS = 1000
/** ... and over how long tabs without Web Locks spread their refreshes: by chance one goes first, and tells the others. */
const SPREAD_MS = 4000
/** A page in front looks after itself this often at least: timers do not count the time that a machine sleeps. */
const LOOK_MS = 30_000
/** ... and this often at most, whatever lifetimes the service may give its tokens. */
const LOOK_PAUSE_MS = 1000
/** An API that refuses a token which was fetched because it had refused the one before is not asked why again. */
const REJECTION_MS = 30_000

/** {@link createSession} with the browser as an argument. */
export function openSession(
  { issuer, clientId, apis = [], ...options }: SessionOptions,
  browser: Surroundings,
): Session {
  const around = { ...browser, fetch: options.fetch ?? browser.fetch }
  const name = `latchkey ${issuer} ${clientId}`
  const call = createWire(around, issuer)
  const memory = createMemory(around, name)
  const backoff = createBackoff(around)
  const { emit, subscribe } = createFeed()
  let status: SessionStatus = SIGNED_OUT
  let token: Token | undefined
  let lastFailure: Failing | undefined
  /** The session that has ended last: what other tabs still say of it is late. */
  let endedId: string | undefined
  let renewing: Promise<void> | undefined
  let isClosed = false
  let callOffLook = () => {}
  let sinceRejection = () => Infinity

  const tabs = createTabs(around, name, hear)
  const stopWaking = around.onWake((why) => {
    if (why === 'online') backoff.reset()
    // A tab that was frozen or in the back/forward cache has not heard that another signed out, or somebody else in.
    if ((token || hasEnded()) && memory.sessionId() !== token?.sessionId) void askAfresh()
    else look()
  })

  const hasEnded = () => status.kind !== 'offline' && 'code' in status
  const usable = () => (isUsable(token) ? token : undefined)
  const knownId = () => token?.sessionId ?? memory.sessionId()

  function hold(grant: Grant, type: 'signed-in' | 'refreshed' | 'shared', since?: Stopwatch): void {
    if (token && token.sessionId !== grant.sessionId) endedId = token.sessionId
    // Long before it was due: an API has refused the one before, perhaps in another tab.
    else if (token && token.dueInMs() > REJECTION_MS) sinceRejection = startStopwatch(around)
    token = createToken(around, grant, since)
    status = describeToken(around, token)
    backoff.reset()
    if (type === 'shared') memory.noteShared()
    else {
      memory.note(grant.sessionId, token.leftMs())
      shareToken()
    }
    plan()
    emit({ type, sessionId: grant.sessionId })
  }

  function shareToken(): void {
    if (token) tabs.tell({ type: 'token', token: token.value, sessionId: token.sessionId, lifetimeMs: token.leftMs() })
  }

  function end(ending: Ending, sessionId: string): void {
    token = undefined
    endedId = sessionId
    status = ending
    backoff.reset()
    emit({ type: 'ended', status })
  }

  /** Ends the session for all tabs: the service has said so. */
  function endForAll(ending: Ending): void {
    const sessionId = knownId() ?? ''
    // Unless that is of a newer one by now.
    if (memory.sessionId() === sessionId) memory.forget()
    end(ending, sessionId)
    tabs.tell({ type: 'ended', sessionId, ...ending })
  }

  function keepTrying(failure: Failing, inMs: number): void {
    const { code, message } = failure
    lastFailure = failure
    if (!usable()) status = { kind: 'offline', retryAtMs: around.wallMs() + inMs, code, message }
    plan()
    emit({ type: 'retry', inMs, code, message })
  }

  function hear(message: Message): void {
    if (isClosed) return
    switch (message.type) {
      case 'ask':
        // Not by a tab that has not heard of a newer sign-in.
        if (!isDue(token) && token?.sessionId === memory.sessionId()) shareToken()
        return
      case 'token': {
        const isNews = message.token !== token?.value && message.sessionId !== endedId
        const isBetter = message.lifetimeMs > (message.sessionId === token?.sessionId ? token.leftMs() : 0)
        if (isNews && isBetter) hold(message, 'shared')
        return
      }
      case 'retry':
        if (hasEnded()) return
        // The tab that tells goes first.
        backoff.wait(message.inMs + LOOK_PAUSE_MS * around.random())
        keepTrying(message, backoff.leftMs())
        return
      case 'ended': {
        const { type: _, sessionId, ...ending } = message
        if (!hasEnded() && sessionId === (knownId() ?? sessionId)) end(ending, sessionId)
      }
    }
  }

  /** Never rejects; how it went is in `token` and `status`. */
  function renew(rejected?: Token): Promise<void> {
    renewing ??= exclusively(around, name, (waited) => renewAlone(waited, rejected)).finally(() => {
      renewing = undefined
      plan()
    })
    return renewing
  }

  async function renewAlone(waited: boolean, rejected: Token | undefined): Promise<void> {
    if (!around.locks) await new Promise<void>((done) => around.after(SPREAD_MS * around.random(), done))
    const isNeeded = () => !hasEnded() && (isDue(token) || token === rejected)
    if (isNeeded() && (waited || memory.mayBeHadFromOthers())) await tabs.ask(waited ? TOLD_MS : ASK_MS)
    if (!isNeeded() || backoff.leftMs() > 0) return
    const since = startStopwatch(around)
    const key = memory.attempt()
    const askedId = knownId()
    const answer = readRefreshAnswer(await call(REFRESH, { client_id: clientId }, { 'Idempotency-Key': key }))
    if (answer.kind !== 'failed') memory.attemptIsOver(key)
    switch (answer.kind) {
      case 'granted':
        // Nothing brings back a session that has been left: neither an answer that was long in coming, nor its cookie.
        if (answer.grant.sessionId !== endedId) return hold(answer.grant, 'refreshed', since)
        if (knownId() === askedId) endForAll(SIGNED_OUT)
        return
      case 'ended':
        // Unless somebody has signed in or out meanwhile: then it was the session before that which the service refused.
        if (knownId() === askedId) endForAll(answer.status)
        return
      case 'failed': {
        const inMs = backoff.fail(answer.failure.retryAfterMs)
        keepTrying(answer.failure, inMs)
        tabs.tell({ type: 'retry', inMs, code: answer.failure.code, message: answer.failure.message })
      }
    }
  }

  async function askAfresh(): Promise<void> {
    token = undefined
    backoff.reset()
    status = { kind: 'restoring' }
    emit({ type: 'restoring' })
    await renew()
  }

  /** Plans the next look. Pages that nobody sees do nothing by themselves, so a session that is not used can run out. */
  function plan(): void {
    callOffLook()
    if (isClosed || hasEnded() || !around.isVisible()) return
    const waitMs = Math.max(token?.dueInMs() ?? 0, backoff.leftMs(), LOOK_PAUSE_MS)
    callOffLook = around.after(Math.min(waitMs, LOOK_MS), look)
  }

  function look(): void {
    if (isClosed || !around.isVisible()) return
    void renewIfDue()
    plan()
  }

  function renewIfDue(): Promise<void> | undefined {
    if (hasEnded() || !isDue(token)) return undefined
    const waitMs = backoff.leftMs()
    if (waitMs === 0) return renew()
    // The token has run out since the last failure.
    if (lastFailure && status.kind === 'signed-in' && !usable()) keepTrying(lastFailure, waitMs)
    return undefined
  }

  async function usableToken(): Promise<Token> {
    const shown = token
    const renewal = renewIfDue()
    const held = usable() ?? (await renewal, usable())
    if (held && held.sessionId !== (shown ?? held).sessionId) throw new SessionError('session_changed', 'User changed.')
    if (held) return held
    const { code, message } = 'code' in status ? status : SIGNED_OUT
    throw new SessionError(code, message)
  }

  async function replace(rejected: Token): Promise<Token | undefined> {
    if (token === rejected && !renewing && sinceRejection() > REJECTION_MS && backoff.leftMs() === 0) {
      sinceRejection = startStopwatch(around)
      void renew(rejected)
    }
    await renewing
    // Never as somebody else.
    return token !== rejected && token?.sessionId === rejected.sessionId ? usable() : undefined
  }

  if (memory.sessionId()) void askAfresh()
  return {
    status: () => status,
    subscribe,
    // Signing in and out wait for a refresh under way: its cookie would otherwise come after theirs.
    login: (username, password) =>
      exclusively(around, name, async (): Promise<Outcome> => {
        const since = startStopwatch(around)
        const reply = await call('/v1/login', { username, password, client_id: clientId })
        const grant = readGrant(reply)
        if (!grant) return readFailure(reply)
        memory.forget()
        hold(grant, 'signed-in', since)
        return { ok: true }
      }),
    async signUp(username, password) {
      const reply = await call('/v1/accounts', { username, password })
      return reply.status === 201 ? { ok: true } : readFailure(reply)
    },
    logout: () =>
      exclusively(around, name, async (): Promise<Outcome> => {
        const reply = await call('/v1/logout', {}, token && { Authorization: `Bearer ${token.value}` })
        if (reply.status !== 204) return readFailure(reply)
        endForAll(SIGNED_OUT)
        return { ok: true }
      }),
    async restore() {
      if (!usable()) await askAfresh()
      return status
    },
    getAccessToken: async () => (await usableToken()).value,
    fetch: createAuthorizedFetch({
      send: (request) => around.fetch(request),
      origins: [new URL(issuer).origin, around.origin, ...apis],
      usableToken,
      replace,
    }),
    close() {
      isClosed = true
      callOffLook()
      stopWaking()
      // What is under way is still told to the others.
      void Promise.resolve(renewing).finally(tabs.close)
    },
  }
}
