/** How accounts come into the store on Upstash Redis: one by one, or many in one request. */
import { z } from 'zod'
import type { Actor } from './audit.ts'
import { writeAccount } from './schema.ts'
import { scripts } from './scripts.ts'
import type { Account, Store } from './store.ts'
import type { UpstashConnection } from './upstash-connection.ts'

const createReply = z.enum(['created', 'taken', 'present'])

export function createUpstashAccounts({
  keys,
  ask,
  script,
  trail,
}: UpstashConnection): Pick<Store, 'createAccount' | 'createAccounts'> {
  const create = script(scripts.createAccount, createReply)

  async function callFor(account: Account, actor: Actor) {
    const { userId, username } = account
    return {
      keysUsed: [await keys.account(username), keys.username(userId), keys.usernames(userId), keys.trail(userId)],
      args: [writeAccount(account), username, ...trail(actor, userId)].map(String),
    }
  }

  return {
    async createAccount({ account, actor }) {
      const { keysUsed, args } = await callFor(account, actor)
      return (await create(keysUsed, args)) === 'created' ? 'created' : 'taken'
    },

    async createAccounts({ accounts, actor }) {
      if (accounts.length === 0) return []
      const calls = await Promise.all(accounts.map((account) => callFor(account, actor)))
      return ask(z.array(createReply).length(accounts.length), (redis) => {
        const pipeline = redis.pipeline()
        for (const { keysUsed, args } of calls) pipeline.eval(scripts.createAccount, keysUsed, args)
        return pipeline.exec()
      })
    },
  }
}
