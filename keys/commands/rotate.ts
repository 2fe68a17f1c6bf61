import { publishedKeys, signingKey } from '../../src/tokens/ring.ts'
import { rotateRing } from '../../src/tokens/key-changes.ts'
import { Refusal, type Answer } from '../answer.ts'
import type { Consent } from '../consent.ts'
import type { Operator } from '../operator.ts'
import { checkSecret } from '../sealing.ts'
import { untilMade } from '../until-made.ts'
import { describeKey, describeSigning } from './list.ts'

/** The standby signs as soon as verifiers know it, and another standby is added. */
export async function rotate({ tools, readRing, nowMs }: Operator, consent: Consent): Promise<Answer> {
  const before = await readRing()
  const signing = signingKey(before, await nowMs())
  if (!signing) throw new Refusal('No key signs yet: the first request makes one, and there is nothing to rotate.')
  await checkSecret(publishedKeys(before, await nowMs(), tools.times), tools)
  await consent(
    `Rotates the signing keys: ${signing.kid} is followed by its standby as soon as verifiers know that one, and another ` +
      'standby is added. Nobody is signed out.',
  )
  const isKnown = new Set(before.map(({ kid }) => kid))
  const { ring, ours, added } = await untilMade(
    async () => rotateRing(tools, await nowMs()),
    (other) => other.some(({ kid }) => !isKnown.has(kid)),
  )
  const now = await nowMs()
  const what = added
    ? `Rotated: ${added.kid} was added.`
    : 'Somebody else added a key at the same moment: nothing to add.'
  return {
    text: `${what}\n${describeSigning(ring, now)}`,
    json: {
      rotated: ours,
      added: added?.kid ?? null,
      keys: ring.map((key) => describeKey(key, ring, now, tools.times)),
    },
  }
}
