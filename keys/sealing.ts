/** Under which secret the keys of a ring are sealed. */
import type { Ring, RingKey } from '../src/tokens/ring.ts'
import type { RingTools } from '../src/tokens/key-changes.ts'
import { openKey } from '../src/tokens/sealed-key.ts'
import { Refusal } from './answer.ts'

export interface Sealing {
  readonly current: Ring
  readonly previous: Ring
  /** Those that neither secret opens. */
  readonly foreign: Ring
}

export async function sealingOf(
  ring: Ring,
  { seals: [current, ...previous] }: Pick<RingTools, 'seals'>,
): Promise<Sealing> {
  const sealing: Record<keyof Sealing, RingKey[]> = { current: [], previous: [], foreign: [] }
  for (const key of ring) {
    if (await opens(key, current)) sealing.current.push(key)
    else if (await opensAny(key, previous)) sealing.previous.push(key)
    else sealing.foreign.push(key)
  }
  return sealing
}

/**
 * A key added under another secret than the servers' would stop them all: so nothing is added to a ring that this secret
 * does not open.
 *
 * @throws {Refusal}
 */
export async function checkSecret(keys: Ring, tools: Pick<RingTools, 'seals'>): Promise<void> {
  const { foreign } = await sealingOf(keys, tools)
  if (foreign.length > 0) throw new Refusal(describeForeign(foreign, keys))
}

export function describeForeign(foreign: Ring, keys: Ring): string {
  return (
    `${foreign.length} of ${keys.length} keys are sealed under another secret than LATCHKEY_SECRET or ` +
    'LATCHKEY_SECRET_PREVIOUS: set the secret that the servers have.'
  )
}

async function opensAny(key: RingKey, seals: readonly Uint8Array<ArrayBuffer>[]): Promise<boolean> {
  for (const seal of seals) if (await opens(key, seal)) return true
  return false
}

async function opens(key: RingKey, seal: Uint8Array<ArrayBuffer>): Promise<boolean> {
  return openKey(key, [seal]).then(
    () => true,
    () => false,
  )
}
