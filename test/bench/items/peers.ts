/** The alternatives, each as its own documentation would have it, on the same Redis. Their programs are in `peers/`. */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Item, Prepared } from '../item.ts'
import type { PeerName, Stage } from '../stage.ts'
import type { Web } from '../web.ts'
import { stockOf } from './latchkey.ts'

type Headers = Readonly<Record<string, string>>

/** What a caller holds: cookies, or tokens. */
interface Held {
  readonly cookie: string
  readonly refreshToken: string
  readonly accessToken: string
}

interface PeerSystem {
  readonly name: PeerName
  /** A new session of a new user, without a password hash. */
  readonly signIn: (web: Web) => Promise<Held>
  /** Uses the session once, and answers with what the caller holds from then on. */
  readonly operations: Readonly<Record<string, PeerOperation>>
}

type PeerOperation = (web: Web, held: Held) => Promise<Held>

const nothing: Held = { cookie: '', refreshToken: '', accessToken: '' }
const tokens = z.object({ access_token: z.string(), refresh_token: z.string() })

function readTokens(body: string): Held {
  const { access_token: accessToken, refresh_token: refreshToken } = tokens.parse(JSON.parse(body))
  return { ...nothing, accessToken, refreshToken }
}

/** The cookies that an answer sets, over those that were held. */
function readCookies(held: string, { headers }: Awaited<ReturnType<Web['call']>>): string {
  const jar = new Map<string, string>()
  const set = [headers['set-cookie'] ?? []].flat().map((line) => line.split(';')[0] ?? '')
  for (const pair of [...held.split('; '), ...set]) {
    const [name = '', ...value] = pair.split('=')
    if (name !== '') jar.set(name, value.join('='))
  }
  return [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
}

/** better-auth answers `null` with 200 where there is no session. */
function getSession(path: string): PeerOperation {
  return async (web, held) => {
    const answer = await web.call({ path: `${path}/get-session`, headers: { cookie: held.cookie } })
    if (answer.body === 'null') throw new Error('better-auth knows no such session')
    return held
  }
}

function betterAuthSignIn(path: string) {
  return async (web: Web): Promise<Held> => {
    const body = { email: `${randomUUID()}@example.com`, password: 'correct horse battery staple', name: 'Bench' }
    const answer = await web.postJson({ path: `${path}/sign-up/email`, headers: { origin: web.url } }, body)
    return { ...nothing, cookie: readCookies('', answer) }
  }
}

const betterAuth: PeerSystem = {
  name: 'better-auth',
  signIn: betterAuthSignIn('/cached'),
  operations: {
    refresh: getSession('/refresh'),
    check: getSession('/check'),
    'check, cached in the cookie': getSession('/cached'),
    async logout(web, held) {
      await web.postJson({ path: '/check/sign-out', headers: { cookie: held.cookie, origin: web.url } }, {})
      return nothing
    },
  },
}

const appCredentials: Headers = { authorization: `Basic ${Buffer.from('app:secret').toString('base64')}` }

const oidcProvider: PeerSystem = {
  name: 'oidc-provider',
  signIn: async (web) => readTokens((await web.call({ path: `/bench/session/${randomUUID()}` })).body),
  operations: {
    async refresh(web, { refreshToken }) {
      const form = { grant_type: 'refresh_token', refresh_token: refreshToken }
      return readTokens((await web.postForm({ path: '/token', headers: appCredentials }, form)).body)
    },
    async check(web, held) {
      const call = { path: '/token/introspection', headers: appCredentials }
      const { body } = await web.postForm(call, { token: held.accessToken })
      if (!body.startsWith('{"active":true')) throw new Error(`introspection said ${body}`)
      return held
    },
    async logout(web, { refreshToken }) {
      await web.postForm({ path: '/token/revocation', headers: appCredentials }, { token: refreshToken })
      return nothing
    },
  },
}

const openauth: PeerSystem = {
  name: 'openauth',
  async signIn(web) {
    const client = { client_id: 'app', client_secret: 'none', provider: 'plain', user: randomUUID() }
    return readTokens((await web.postForm({ path: '/token' }, { grant_type: 'client_credentials', ...client })).body)
  },
  operations: {
    async refresh(web, { refreshToken }) {
      const form = { grant_type: 'refresh_token', refresh_token: refreshToken }
      return readTokens((await web.postForm({ path: '/token' }, form)).body)
    },
    async check(web, held) {
      await web.call({ path: '/check', headers: { authorization: `Bearer ${held.accessToken}` }, status: 204 })
      return held
    },
  },
}

const expressSession: PeerSystem = {
  name: 'express-session',
  async signIn(web) {
    const answer = await web.call({ path: `/session/${randomUUID()}`, method: 'POST', status: 204 })
    return { ...nothing, cookie: readCookies('', answer) }
  },
  operations: {
    async refresh(web, { cookie }) {
      const answer = await web.call({ path: '/refresh', method: 'POST', headers: { cookie }, status: 204 })
      return { ...nothing, cookie: readCookies(cookie, answer) }
    },
    async check(web, held) {
      await web.call({ path: '/check', headers: { cookie: held.cookie }, status: 204 })
      return held
    },
    async logout(web, { cookie }) {
      await web.call({ path: '/logout', method: 'POST', headers: { cookie }, status: 204 })
      return nothing
    },
  },
}

const peerSystems: readonly PeerSystem[] = [betterAuth, oidcProvider, openauth, expressSession]

/** Each caller goes on with what the last call gave it. */
async function inChains(web: Web, { signIn }: PeerSystem, operation: PeerOperation, callers: number) {
  const held = await Promise.all(Array.from({ length: callers }, () => signIn(web)))
  return {
    async run(caller: number) {
      held[caller] = await operation(web, held[caller] ?? nothing)
      return 1
    },
  }
}

/** Each round with sessions of its own: tokens, and cookies that are believed, live five minutes, a run longer. */
function withSession(web: Web, { signIn }: PeerSystem, operation: PeerOperation): Prepared {
  let held: Held[] = []
  return {
    async refill({ callers }) {
      held = await Promise.all(Array.from({ length: callers }, () => signIn(web)))
    },
    async run(caller) {
      await operation(web, held[caller] ?? nothing)
      return 1
    },
  }
}

/** Each call uses a session up. */
function fromStock(web: Web, { signIn }: PeerSystem, operation: PeerOperation): Prepared {
  const stock: Held[] = []
  return {
    async refill(round) {
      // A few at a time: some of them make a key for each.
      for (const missing = stockOf(round); stock.length < missing;)
        stock.push(...(await Promise.all(Array.from({ length: 32 }, () => signIn(web)))))
    },
    async run() {
      const next = stock.pop()
      if (next === undefined) return 0
      await operation(web, next)
      return 1
    },
  }
}

function itemsOf(system: PeerSystem): Item[] {
  return Object.entries(system.operations).map(([name, operation]) => ({
    name: `${system.name}: ${name}`,
    tags: ['peers', system.name],
    async prepare(stage: Stage, callers: number) {
      const web = await stage.peer(system.name)
      if (name === 'refresh') return inChains(web, system, operation, callers)
      return name === 'logout' ? fromStock(web, system, operation) : withSession(web, system, operation)
    },
  }))
}

/** With the hash that it uses by itself, scrypt; the others have no passwords. */
const betterAuthLogin: Item = {
  name: 'better-auth: login',
  tags: ['peers', 'better-auth'],
  callers: [1, 16],
  async prepare(stage, callers) {
    const web = await stage.peer('better-auth')
    const call = { path: '/login/sign-in/email', headers: { origin: web.url } }
    const people = Array.from({ length: callers }, () => ({
      email: `${randomUUID()}@example.com`,
      password: 'correct horse battery staple',
    }))
    for (const person of people)
      await web.postJson({ ...call, path: '/login/sign-up/email' }, { ...person, name: 'Bench' })
    return {
      async run(caller) {
        await web.postJson(call, people[caller] ?? {})
        return 1
      },
    }
  },
}

export const peers: readonly Item[] = [betterAuthLogin, ...peerSystems.flatMap(itemsOf)]
