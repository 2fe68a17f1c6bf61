/** oidc-provider's adapter interface on Redis, with the commands of one call sent together. */
import type { Redis } from 'ioredis'

/** Kinds of token that end with their grant. */
const grantable = new Set(['AccessToken', 'AuthorizationCode', 'RefreshToken', 'DeviceCode'])

type Payload = Record<string, unknown>
/** What of a payload it can be found by. */
interface Indexed {
  readonly grantId?: string
  readonly uid?: string
  readonly userCode?: string
}

export function adapterFor(redis: Redis) {
  const grantKey = (grantId: string) => `oidc:grant:${grantId}`
  const indexKey = (kind: string, value: string) => `oidc:${kind}:${value}`

  return (model: string) => {
    const keyOf = (id: string) => `oidc:${model}:${id}`

    async function findByIndex(kind: string, value: string): Promise<Payload | undefined> {
      const id = await redis.get(indexKey(kind, value))
      return id === null ? undefined : find(id)
    }

    async function find(id: string): Promise<Payload | undefined> {
      const { payload, consumed } = await redis.hgetall(keyOf(id))
      if (payload === undefined) return undefined
      return { ...JSON.parse(payload), ...(consumed === undefined ? {} : { consumed: Number(consumed) }) }
    }

    return {
      find,
      findByUid: (uid: string) => findByIndex('uid', uid),
      findByUserCode: (userCode: string) => findByIndex('code', userCode),

      async upsert(id: string, payload: Payload & Indexed, expiresIn: number) {
        const batch = redis.multi().hset(keyOf(id), 'payload', JSON.stringify(payload))
        if (expiresIn) batch.expire(keyOf(id), expiresIn)
        const { grantId, uid, userCode } = payload
        if (grantId && grantable.has(model)) {
          batch.sadd(grantKey(grantId), keyOf(id))
          // As long as the longest of its tokens.
          if (expiresIn) batch.expire(grantKey(grantId), expiresIn, 'NX').expire(grantKey(grantId), expiresIn, 'GT')
        }
        if (uid) batch.set(indexKey('uid', uid), id, 'EX', expiresIn)
        if (userCode) batch.set(indexKey('code', userCode), id, 'EX', expiresIn)
        await batch.exec()
      },

      async consume(id: string) {
        await redis.hset(keyOf(id), 'consumed', Math.floor(Date.now() / 1000))
      },

      async destroy(id: string) {
        await redis.del(keyOf(id))
      },

      async revokeByGrantId(grantId: string) {
        const keys = await redis.smembers(grantKey(grantId))
        await redis.del(grantKey(grantId), ...keys)
      },
    }
  }
}
