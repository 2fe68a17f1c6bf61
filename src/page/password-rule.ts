import { element, write } from './elements.ts'

/** The service's default. Where it is set to another, the service's own refusal says so. */
const LEAST_CHARACTERS = 15

/** Counts along while a new password is typed. */
export function showPasswordRule(announce: (text: string) => void): void {
  const input = element('sign-up-password', HTMLInputElement)
  const count = element('sign-up-count', HTMLElement)
  const measure = element('sign-up-measure', HTMLElement)
  let wasEnough = false
  element('sign-up', HTMLFormElement).addEventListener('input', () => {
    // As the service counts: code points of the composed form.
    const length = Array.from(input.value.normalize('NFC')).length
    const isEnough = length >= LEAST_CHARACTERS
    write(count, isEnough ? 'Long enough' : `${length} of ${LEAST_CHARACTERS}`)
    count.dataset['enough'] = String(isEnough)
    measure.style.transform = `scaleX(${Math.min(1, length / LEAST_CHARACTERS)})`
    if (isEnough && !wasEnough) announce('The password is long enough.')
    wasEnough = isEnough
  })
}
