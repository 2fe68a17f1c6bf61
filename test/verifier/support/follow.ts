import {
  createVerifier,
  type RevocationMode,
  type Verification,
  type Verifier,
  type VerifierOptions,
} from '../../../src/verifier/verifier.ts'
import { createTestIssuer, type TestIssuer } from './issuer.ts'

export interface Followed {
  readonly issuer: TestIssuer
  readonly verifier: Verifier
  /** Verifies, and waits for what that began in the background. */
  readonly verify: (token: string) => Promise<Verification>
}

/** A verifier of an issuer, both in memory. */
export async function follow(mode: RevocationMode = 'feed', options: Partial<VerifierOptions> = {}): Promise<Followed> {
  const issuer = await createTestIssuer()
  const verifier = createVerifier({ ...issuer.options(mode), ...options })
  return {
    issuer,
    verifier,
    async verify(token) {
      const begun: Promise<unknown>[] = []
      const result = await verifier.verify(token, { waitUntil: (promise) => void begun.push(promise) })
      await Promise.all(begun)
      return result
    },
  }
}

/** Answers to requests whose path holds `part` are what `change` makes of them, until the returned function is called. */
export function changeAnswers(issuer: TestIssuer, part: string, change: (body: object) => object): () => void {
  const fetch = issuer.fetch.bind(issuer)
  issuer.fetch = async (url, init) => {
    const answer = await fetch(url, init)
    if (!url.includes(part)) return answer
    const body: unknown = JSON.parse(await answer.text())
    if (typeof body !== 'object' || body === null) throw new TypeError('no object')
    return { status: answer.status, text: async () => JSON.stringify(change(body)) }
  }
  return () => void (issuer.fetch = fetch)
}

/** Requests whose path holds `part` are answered with `status`, until the returned function is called. */
export function answerWith(issuer: TestIssuer, part: string, status: number): () => void {
  const fetch = issuer.fetch.bind(issuer)
  issuer.fetch = async (url, init) => (url.includes(part) ? { status, text: async () => '' } : fetch(url, init))
  return () => void (issuer.fetch = fetch)
}
