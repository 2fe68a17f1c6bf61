/** What the parts can do: nobody can be faster than these. */
import { hash } from '@node-rs/argon2'
import type { Item } from '../item.ts'
import { password } from '../operator.ts'
import type { Stage } from '../stage.ts'
import type { Web } from '../web.ts'

/** So many operations in one request that the request does not count. */
const many = 200

/** A route of `test/workerd/limits-worker.ts` that does so many operations. */
function route(path: string, { status = 204, operations = 1, headers = {} } = {}): Item['prepare'] {
  return calling({ path, status, headers }, operations)
}

function calling(call: Parameters<Web['call']>[0], operations = 1): Item['prepare'] {
  return async (stage) => {
    const web = await stage.limits()
    await putRecord(stage)
    return {
      async run() {
        await web.call(call)
        return operations
      },
    }
  }
}

/** As long as those of Latchkey. */
const withToken = { headers: { authorization: `Bearer ${'t'.repeat(600)}` } }
const refreshCall = {
  path: '/refresh',
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ refresh_token: 't'.repeat(112) }),
} as const

/** A record of the size of a session's, for what reads one. */
async function putRecord(stage: Stage): Promise<void> {
  const { direct } = await stage.store()
  await direct.set('s:{0}:limits', 'x'.repeat(150))
}

const tags = ['limits']

export const limits: readonly Item[] = [
  { name: 'limits: bare Hono handler', tags, prepare: route('/handler') },
  { name: 'limits: the least of a verify, cached', tags, prepare: route('/verify', withToken) },
  { name: 'limits: the least of a verify, live', tags, prepare: route('/verify-live', withToken) },
  { name: 'limits: one MGET', tags, prepare: route('/mget') },
  { name: "limits: one MGET by Upstash's client", tags, prepare: route('/mget-by-client') },
  { name: 'limits: one EVALSHA', tags, prepare: route('/evalsha') },
  { name: 'limits: one EVALSHA and one signature', tags, prepare: route('/evalsha-and-sign', { status: 200 }) },
  { name: 'limits: the least of a refresh', tags, prepare: calling(refreshCall) },
  {
    name: 'limits: jose ES256 sign',
    tags,
    callers: [1],
    prepare: route(`/sign/${many}`, { operations: many }),
  },
  {
    name: 'limits: jose ES256 verify',
    tags,
    callers: [1],
    prepare: route(`/verify/${many}`, { operations: many }),
  },
  {
    name: 'limits: argon2id, wasm in workerd',
    tags: [...tags, 'argon2'],
    callers: [1],
    prepare: route('/argon2', { status: 200 }),
  },
  {
    name: 'limits: argon2id, native in Node',
    tags: [...tags, 'argon2'],
    callers: [1],
    prepare: async () => ({
      async run() {
        await hash(password, { memoryCost: 19_456, timeCost: 2, parallelism: 1 })
        return 1
      },
    }),
  },
]
