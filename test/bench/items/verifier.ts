/** The verifier library: in a process of its user, and in a service in workerd. */
import { jwtVerify } from 'jose'
import { createVerifier, type Verifier } from '../../../src/verifier/verifier.ts'
import { systemRandom } from '../../../src/system.ts'
import { beginFamily, mintId } from '../../../src/tokens/refresh.ts'
import type { Item, Prepared } from '../item.ts'
import type { Latchkey, Stage } from '../stage.ts'

/** So many in one turn that the turn does not count. */
const batch = 50
/** More than are verified in a millisecond. */
const stockPerMs = 15

/** Calls for as many fresh tokens as a round may need, made before it. */
function eachOnce(latchkey: Latchkey, verify: (token: string) => Promise<unknown>): Prepared {
  const session = beginFamily(systemRandom, mintId(systemRandom))
  let tokens: string[] = []
  return {
    async refill({ ms }) {
      // Those that the last round left may have expired.
      tokens = []
      while (tokens.length < ms * stockPerMs) tokens.push((await latchkey.operator.issue(session)).accessToken)
    },
    async run() {
      const some = tokens.splice(-batch)
      for (const token of some) await verify(token)
      return some.length
    },
  }
}

function sameAgain(latchkey: Latchkey, verify: (token: string) => Promise<unknown>): Prepared {
  let token = ''
  return {
    // A run takes longer than a token lives.
    async refill() {
      token = (await latchkey.operator.issue(beginFamily(systemRandom, mintId(systemRandom)))).accessToken
    },
    async run() {
      for (let done = 0; done < batch; done++) await verify(token)
      return batch
    },
  }
}

function follow(stage: Stage, { env, operator }: Latchkey): Verifier {
  const { issuer } = operator.config
  const clientSecret = env['API_CLIENT_SECRET'] ?? ''
  const options = { issuer, audience: issuer, clientId: 'api', clientSecret }
  const verifier = createVerifier({ ...options, revocation: 'feed' })
  stage.atEnd(async () => verifier.close())
  return verifier
}

function accepting(verifier: Verifier): (token: string) => Promise<void> {
  return async (token) => {
    const result = await verifier.verify(token)
    if (!result.ok) throw new Error(`the verifier said ${result.code}`)
  }
}

/** What a service in workerd does, without and with a memory of tokens. */
function serviceOf(remembered: number): Item['prepare'] {
  return async (stage, callers) => {
    const { operator } = await stage.latchkey()
    const web = await stage.limits()
    const held: string[] = []
    return {
      async refill() {
        for (let caller = 0; caller < callers; caller++)
          held[caller] = (await operator.issue(beginFamily(systemRandom, mintId(systemRandom)))).accessToken
        await Promise.all(held.map((token) => check(token)))
      },
      async run(caller) {
        await check(held[caller] ?? '')
        return 1
      },
    }

    function check(token: string) {
      const headers = { authorization: `Bearer ${token}` }
      return web.call({ path: `/service/${remembered}`, headers, status: 204 })
    }
  }
}

const inProcess = { tags: ['verifier'], callers: [1] }

export const verifier: readonly Item[] = [
  {
    name: 'verifier with feed: fresh tokens',
    ...inProcess,
    async prepare(stage) {
      const latchkey = await stage.latchkey()
      return eachOnce(latchkey, accepting(follow(stage, latchkey)))
    },
  },
  {
    name: 'verifier with feed: a repeated token',
    ...inProcess,
    async prepare(stage) {
      const latchkey = await stage.latchkey()
      return sameAgain(latchkey, accepting(follow(stage, latchkey)))
    },
  },
  {
    name: 'jose jwtVerify: fresh tokens',
    ...inProcess,
    async prepare(stage) {
      const latchkey = await stage.latchkey()
      const { issuer } = latchkey.operator.config
      const { publicKey } = (await latchkey.operator.ring()).signing
      const expected = { issuer, audience: issuer, typ: 'at+jwt', requiredClaims: ['exp'] }
      return eachOnce(latchkey, (token) => jwtVerify(token, publicKey, expected))
    },
  },
  {
    name: 'service with verifier: signature only, each time',
    tags: ['verifier', 'verify'],
    prepare: serviceOf(0),
  },
  {
    name: 'service with verifier: signature only, seen before',
    tags: ['verifier', 'verify'],
    prepare: serviceOf(10_000),
  },
]
