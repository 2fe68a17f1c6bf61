/**
 * Passwords that are guessed first. OWASP ASVS 5.0 sections 6.2.4 and 6.2.11, NIST SP 800-63B-4 section 3.1.1.2.
 *
 * Upper and lower case count as one, and so do compatible characters: all is compared in lower case and NFKC.
 */

/** Fewer characters than this add nothing to what can be guessed: nobody may be allowed a shorter password. */
const LEAST_CHARACTERS = 8
/** Shorter words are in every other password by chance. */
const LEAST_WORD_CHARACTERS = 4
/** Longer than any password, so that a run that begins anew is found, too. */
const RUN_CHARACTERS = 512

/** What fingers and heads follow; each may begin anywhere, go on from its beginning, and go backwards. */
const runs = ['0123456789', 'abcdefghijklmnopqrstuvwxyz', 'qwertyuiopasdfghjklzxcvbnm']

/** Printable ASCII but letters, behind something else. */
const digitsAndSigns = /[\x20-\x40\x5b-\x60\x7b-\x7e]+$/
/** Printable ASCII but letters and digits, anywhere: what stands between names. */
const signs = /[\x20-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e]+/g

export interface Guesses {
  /** Lower case, each with a line break before and after it. Searched as it is: no isolate pays to make a set of it. */
  readonly commonPasswords: string
  /** What an attacker knows of this account and this service, such as the username. */
  readonly context: readonly string[]
}

/** Why a password would be guessed soon, as a sentence for people; undefined if it would not. */
export function whyGuessable(password: string, { commonPasswords, context }: Guesses): string | undefined {
  const text = fold(password)
  if (isPattern(text))
    return 'This password repeats a few characters, or follows the digits, the alphabet or the keyboard.'
  if (isCommon(text, commonPasswords)) return 'This password is one of the most common ones, which are guessed first.'
  const between = withoutWords(text, context.flatMap(wordsOf))
  const rest = between.replace(signs, '')
  if (between !== text && (isShort(rest) || isPattern(rest) || isCommon(rest, commonPasswords)))
    return 'This password is little more than the username or the name of this service.'
  return undefined
}

function fold(text: string): string {
  return text.normalize('NFKC').toLowerCase()
}

function isShort(text: string): boolean {
  return Array.from(text).length < LEAST_CHARACTERS
}

/** Listed, or listed but for digits and signs at its end that could be guessed as well. */
function isCommon(text: string, commonPasswords: string): boolean {
  const isListed = (candidate: string) => commonPasswords.includes(`\n${candidate}\n`)
  const stem = text.replace(digitsAndSigns, '')
  const end = text.slice(stem.length)
  return isListed(text) || (isListed(stem) && (isShort(end) || isPattern(end) || isListed(end)))
}

/** A few characters over and over, or a run. */
function isPattern(text: string): boolean {
  const characters = Array.from(text)
  const longestUnit = Math.min(LEAST_CHARACTERS - 1, Math.floor(characters.length / 2))
  for (let unit = 1; unit <= longestUnit; unit++)
    if (characters.every((character, i) => character === characters[i % unit])) return true
  const backwards = characters.toReversed().join('')
  return runs.some((run) => {
    const endless = run.repeat(RUN_CHARACTERS / run.length)
    return endless.includes(text) || endless.includes(backwards)
  })
}

/** The whole and its parts: of `ada@example.com` also `example`. */
function wordsOf(text: string): string[] {
  const whole = fold(text)
  return [whole, ...whole.split(/[^\p{L}\p{N}]+/u)].filter((word) => Array.from(word).length >= LEAST_WORD_CHARACTERS)
}

/** Longer words go first: others may be parts of them. */
function withoutWords(text: string, words: readonly string[]): string {
  const longestFirst = words.toSorted((a, b) => b.length - a.length)
  return longestFirst.reduce((rest, word) => rest.replaceAll(word, ''), text)
}
