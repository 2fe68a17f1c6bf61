/** Latchkey's own operations, in one process and in the fleet: the same calls to either. */
import { z } from 'zod'
import { usualCallers, type Item, type Prepared } from '../item.ts'
import type { Round } from '../measure.ts'
import { clientId, password, type Supplier } from '../operator.ts'
import type { Revision } from '../revision.ts'
import type { Latchkey, Stage } from '../stage.ts'

const tokens = z.object({ access_token: z.string(), refresh_token: z.string() })

interface Named {
  readonly username: string
}
/** What is called. */
type Called = Pick<Latchkey, 'web' | 'env'>
/** ... and what supplies the calls. */
interface Supplied<A extends Named> extends Called {
  readonly operator: Supplier<A>
}

interface Operation {
  readonly name: string
  readonly tags: readonly string[]
  readonly callers?: readonly number[]
  readonly prepare: <A extends Named>(latchkey: Supplied<A>, callers: number) => Promise<Prepared>
}

/** A session for each caller, on accounts of their own. */
async function signInAll<A extends Named>({ operator }: Supplied<A>, callers: number) {
  const accounts = await operator.createAccounts(callers)
  return Promise.all(accounts.map((account) => operator.signIn(account)))
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** A check of each caller's token. There are new ones for each round: a run takes longer than a token lives. */
function checking(check: (latchkey: Called, token: string) => Promise<unknown>): Operation['prepare'] {
  return async (latchkey, callers) => {
    const { operator } = latchkey
    const accounts = await operator.createAccounts(callers)
    let held: string[] = []
    return {
      async refill() {
        const signedIn = await Promise.all(accounts.map((account) => operator.signIn(account)))
        held = signedIn.map(({ accessToken }) => accessToken)
        // What is remembered of it, if anything is, is there when the round begins.
        await Promise.all(held.map((token) => check(latchkey, token)))
      },
      async run(caller) {
        await check(latchkey, held[caller] ?? '')
        return 1
      },
    }
  }
}

function checkAt(path: string): Operation['prepare'] {
  return checking(({ web }, token) => web.call({ path, headers: bearer(token), status: 204 }))
}

async function introspect({ env, web }: Called, token: string): Promise<void> {
  const credentials = Buffer.from(`api:${env['API_CLIENT_SECRET']}`).toString('base64')
  const headers = { authorization: `Basic ${credentials}` }
  const { body } = await web.postForm({ path: '/oauth/introspect', headers }, { token })
  if (!body.startsWith('{"active":true')) throw new Error(`introspection said ${body}`)
}

const operations: readonly Operation[] = [
  {
    name: 'login',
    tags: ['login'],
    // A process takes in seventeen at a time and sends the others away: it could not hash for them in a second.
    callers: [1, 16],
    async prepare({ web, operator }, callers) {
      const accounts = await operator.createAccounts(callers)
      return {
        async run(caller) {
          await web.postJson(
            { path: '/v1/login' },
            { username: accounts[caller]?.username, password, client_id: clientId },
          )
          return 1
        },
      }
    },
  },
  {
    name: 'refresh',
    tags: ['refresh'],
    async prepare(latchkey, callers) {
      const held = (await signInAll(latchkey, callers)).map(({ refreshToken }) => refreshToken)
      return {
        async run(caller) {
          const answer = await latchkey.web.postJson({ path: '/v1/refresh' }, { refresh_token: held[caller] })
          held[caller] = tokens.parse(JSON.parse(answer.body)).refresh_token
          return 1
        },
      }
    },
  },
  { name: 'verify, live', tags: ['verify'], prepare: checkAt('/v1/verify?fresh=1') },
  { name: 'verify, cached', tags: ['verify'], prepare: checkAt('/v1/verify') },
  {
    name: 'logout',
    tags: ['logout'],
    async prepare<A extends Named>({ operator, web }: Supplied<A>) {
      const accounts: A[] = []
      let stock: string[] = []
      return {
        async refill(round) {
          accounts.push(...(await operator.createAccounts(Math.max(0, stockOf(round) - accounts.length))))
          const signedIn = await Promise.all(
            accounts.slice(0, stockOf(round)).map((account) => operator.signIn(account)),
          )
          stock = signedIn.map(({ refreshToken }) => refreshToken)
        },
        async run() {
          const token = stock.pop()
          if (token === undefined) return 0
          await web.postJson({ path: '/v1/logout', status: 204 }, { refresh_token: token })
          return 1
        },
      }
    },
  },
  { name: 'introspect', tags: ['introspect'], prepare: checking(introspect) },
  {
    name: 'key set',
    tags: ['jwks'],
    async prepare({ web }) {
      return {
        async run() {
          await web.call({ path: '/.well-known/jwks.json' })
          return 1
        },
      }
    },
  },
]

/** Signing in takes longer than signing out: a round of logouts ends early rather than having more than this. */
const mostStock = 800

/** How many sessions a round of logouts may use up. */
export function stockOf({ callers, ms }: Round): number {
  return Math.min(mostStock, Math.ceil(ms * (callers === 1 ? 1 : 3)))
}

function itemsOf<A extends Named>(system: string, tag: string, place: (stage: Stage) => Promise<Supplied<A>>): Item[] {
  return operations.map(({ name, tags, callers = usualCallers, prepare }) => ({
    name: `${system}: ${name}`,
    // `--only refresh` means that of one process.
    tags: tag === 'latchkey' ? [tag, ...tags] : [tag],
    callers,
    prepare: async (stage, most) => prepare(await place(stage), most),
  }))
}

export const latchkey: readonly Item[] = itemsOf('latchkey', 'latchkey', (stage) => stage.latchkey())
/** What is worth a look inside. */
export const profiled: readonly Item[] = itemsOf('profiled', 'profile', (stage) => stage.inspected()).filter(
  ({ name }) => /refresh|verify|introspect/.test(name),
)
export const fleet: readonly Item[] = itemsOf('fleet of five', 'fleet', (stage) => stage.fleet())

/** Those of another commit. There are no logouts: each would cost a password hash before. */
export function itemsAt(revision: Revision): readonly Item[] {
  const items = itemsOf(`at ${revision.commit}`, 'latchkey', (stage) => stage.revision(revision))
  return items.filter(({ name }) => !name.endsWith(': logout'))
}
