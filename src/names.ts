/** The names in a text that has them with one space between, as `scope` has (RFC 6749 section 3.3). */
export function namesOf(text: string): string[] {
  return text === '' ? [] : text.split(' ')
}
