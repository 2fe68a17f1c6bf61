/** oidc-provider's adapter interface on Redis, with the commands of one call sent together. */
import type { Redis } from 'ioredis'
import type { Adapter, AdapterPayload } from 'oidc-provider'

/** Kinds of token that end with their grant. */
const grantable = new Set(['AccessToken', 'AuthorizationCode', 'RefreshToken', 'DeviceCode'])

export function adapterFor(redis: Redis): (model: string) => Adapter {
  const grantKey = (grantId: string) => `oidc:grant:${grantId}`
  const indexKey = (kind: string, value: string) => `oidc:${kind}:${value}`

  return (model) => {
    const keyOf = (id: string) => `oidc:${model}:${id}`

    async function findByIndex(kind: string, value: string): Promise<AdapterPayload | undefined> {
      const id = await redis.get(indexKey(kind, value))
      return id === null ? undefined : find(id)
    }

    async function find(id: string): Promise<AdapterPayload | undefined> {
      const { payload, consumed } = await redis.hgetall(keyOf(id))
      if (payload === undefined) return undefined
      return { ...JSON.parse(payload), ...(consumed === undefined ? {} : { consumed: Number(consumed) }) }
    }

    return {
      find,
      findByUid: (uid) => findByIndex('uid', uid),
      findByUserCode: (userCode) => findByIndex('code', userCode),

      async upsert(id, payload, expiresIn) {
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

      async consume(id) {
        await redis.hset(keyOf(id), 'consumed', Math.floor(Date.now() / 1000))
      },

      async destroy(id) {
        await redis.del(keyOf(id))
      },

      async revokeByGrantId(grantId) {
        const keys = await redis.smembers(grantKey(grantId))
        await redis.del(grantKey(grantId), ...keys)
      },
    }
  }
}
