import { publishedKeys, signingKey, standby, stateOf, type Ring, type RingKey } from '../../src/tokens/ring.ts'
import { withdrawKey } from '../../src/tokens/key-changes.ts'
import { Refusal, type Answer } from '../answer.ts'
import type { Consent } from '../consent.ts'
import type { Operator } from '../operator.ts'
import { checkSecret } from '../sealing.ts'
import { inLocalTime, inWords } from '../times.ts'
import { untilMade } from '../until-made.ts'
import { describeKey, describeSigning } from './list.ts'

/** Takes a key out of use at once. A beginning of its `kid` is enough if no other key begins so. */
export async function withdraw(
  { tools, readRing, nowMs }: Operator,
  consent: Consent,
  presented: string,
): Promise<Answer> {
  const before = await readRing()
  const key = findKey(before, presented)
  const now = await nowMs()
  if (key.withdrawn_at !== undefined) return alreadyWithdrawn(key, before, now)
  await checkSecret(publishedKeys(before, now, tools.times), tools)
  const state = stateOf(key, before, now, tools.times)
  await consent(planFor(key, before, now))
  const { ring, ours } = await untilMade(
    async () => withdrawKey(tools, key.kid, await nowMs()),
    // A key that is not there any more is as withdrawn as can be.
    (other) => other.find(({ kid }) => kid === key.kid)?.withdrawn_at !== undefined || !has(other, key),
  )
  const after = await nowMs()
  return {
    text: `Withdrawn: ${key.kid} (it was ${state}).\n${describeSigning(ring, after)}\n\n${consequences}`,
    json: {
      withdrawn: ours,
      kid: key.kid,
      keys: ring.map((each) => describeKey(each, ring, after, tools.times)),
    },
  }
}

const consequences = `What happens next:
  within 60 seconds   every server has read the ring again: /v1/verify refuses tokens of this key, and the key set lacks it
  now                 the revocation feed names the key (kind "kid") to services that follow it
  their own time      services that only keep the key set accept the key until they fetch it again
  sessions            all go on: the next refresh brings a token of the key that signs now`

/** @throws {Refusal} unless exactly one key is meant */
function findKey(ring: Ring, presented: string): RingKey {
  const exact = ring.find(({ kid }) => kid === presented)
  if (exact) return exact
  const [found, ...others] = presented === '' ? [] : ring.filter(({ kid }) => kid.startsWith(presented))
  if (found && others.length === 0) return found
  const why = found ? 'More than one key begins so' : 'The ring has no such key'
  const kids = ring.map(({ kid }) => kid).join(', ')
  throw new Refusal(`${why}: ${presented}. It has ${kids || 'none at all'}.`)
}

function has(ring: Ring, { kid }: RingKey): boolean {
  return ring.some((key) => key.kid === kid)
}

function planFor(key: RingKey, ring: Ring, now: number): string {
  const isSigning = key === signingKey(ring, now)
  const waiting = standby(ring, now)
  const next = waiting
    ? `The standby ${waiting.kid} signs from now on.`
    : 'There is no standby: a new key signs at once, and verifiers that keep the key set refuse its tokens until they fetch it.'
  return (
    `Withdraws ${key.kid} for good: no token of it is accepted any more. ` +
    `${isSigning ? next : 'The key that signs goes on.'} Sessions go on through their refresh tokens.`
  )
}

function alreadyWithdrawn(key: RingKey, ring: Ring, now: number): Answer {
  const time = key.withdrawn_at ?? now
  return {
    text: `Nothing to do: ${key.kid} was withdrawn at ${inLocalTime(time)} (${inWords(time, now)}).\n${describeSigning(ring, now)}`,
    json: { withdrawn: false, kid: key.kid },
  }
}
