/**
 * Whether a password is known from a breach, asked of a range interface such as that of Have I Been Pwned. NIST SP 800-63B-4
 * section 3.1.1.2, OWASP ASVS 6.2.12.
 *
 * Only the first five hex digits of the password's SHA-1 leave this service (k-anonymity); the answer holds the rest of every
 * digest that begins with them, and is padded so that its length tells nothing.
 */

/** A registration waits no longer than this. */
const DEADLINE_MS = 1000
const PREFIX_LENGTH = 5
/** What follows the prefix, and how often it was seen. Padding has 0. */
const rangeLine = /^([0-9A-F]{35}):(\d+)$/

export type BreachAnswer = { readonly breached: boolean } | { readonly problem: string }

/** Never throws. A `problem` says in a word or two why nobody can tell. */
export type BreachLookup = (password: string) => Promise<BreachAnswer>

/** @param baseUrl what `/range/` is appended to */
export function createBreachLookup(baseUrl: string): BreachLookup {
  return async (password) => {
    const digest = await sha1(password)
    const url = `${baseUrl}/range/${digest.slice(0, PREFIX_LENGTH)}`
    try {
      const answer = await fetch(url, {
        headers: { 'Add-Padding': 'true', 'User-Agent': 'latchkey' },
        // Nobody else is told.
        redirect: 'manual',
        signal: AbortSignal.timeout(DEADLINE_MS),
      })
      const text = await answer.text()
      return answer.status === 200 ? find(text, digest.slice(PREFIX_LENGTH)) : { problem: `status ${answer.status}` }
    } catch (error) {
      return { problem: error instanceof Error ? error.name : 'unknown' }
    }
  }
}

function find(text: string, wanted: string): BreachAnswer {
  let breached = false
  for (const line of text.trim().split(/\r?\n/)) {
    const [, suffix, count] = rangeLine.exec(line) ?? []
    if (suffix === undefined) return { problem: 'unreadable answer' }
    if (suffix === wanted && Number(count) > 0) breached = true
  }
  return { breached }
}

/** Hex digits in upper case. */
async function sha1(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-1', new TextEncoder().encode(text)))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase()
}
