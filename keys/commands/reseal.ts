import { resealRing } from '../../src/tokens/key-changes.ts'
import { Refusal, type Answer } from '../answer.ts'
import type { Consent } from '../consent.ts'
import type { Operator } from '../operator.ts'
import { checkSecret, sealingOf } from '../sealing.ts'
import { untilMade } from '../until-made.ts'

/** Seals all keys under the current secret, so that the previous one can be given up. */
export async function reseal({ tools, readRing }: Operator, consent: Consent): Promise<Answer> {
  const before = await readRing()
  if (before.length === 0) throw new Refusal('There is no key yet: nothing to reseal.')
  await checkSecret(before, tools)
  const { previous } = await sealingOf(before, tools)
  if (previous.length === 0)
    return { text: 'Nothing to do: every key is sealed under LATCHKEY_SECRET.', json: { resealed: 0 } }
  await consent(
    `Seals ${previous.length} of ${before.length} keys anew, under LATCHKEY_SECRET. A server that does not have that secret ` +
      'yet, as current or previous one, stops working: deploy it first.',
  )
  await untilMade(
    () => resealRing(tools),
    async (ring) => (await sealingOf(ring, tools)).current.length === ring.length,
  )
  return {
    text: `Resealed ${previous.length} of ${before.length} keys.
LATCHKEY_SECRET_PREVIOUS is still needed for refresh tokens and password hashes that are older than the change:
delete it when SESSION_ABSOLUTE_SECONDS have passed.`,
    json: { resealed: previous.length },
  }
}
