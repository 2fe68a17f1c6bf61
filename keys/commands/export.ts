import { publishedKeys } from '../../src/tokens/ring.ts'
import type { Answer } from '../answer.ts'
import type { Operator } from '../operator.ts'

/** The JWK Set as verifiers fetch it: RFC 7517 section 5. */
export async function exportKeys({ tools, readRing, nowMs }: Operator): Promise<Answer> {
  const published = publishedKeys(await readRing(), await nowMs(), tools.times)
  const set = { keys: published.map((key) => key.public) }
  return { text: JSON.stringify(set, undefined, 2), json: set }
}
