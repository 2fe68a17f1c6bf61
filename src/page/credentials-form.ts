import type { Outcome } from '../browser/index.ts'
import { element, write } from './elements.ts'
import { inWords } from './words.ts'

type Refusal = Extract<Outcome, { ok: false }>

export interface CredentialsForm {
  readonly show: (isShown: boolean) => void
  /** Fills the username in. */
  readonly offer: (username: string) => void
  /** Puts the cursor where there is something to type. */
  readonly focus: () => void
  readonly refuse: (refusal: Refusal) => void
  /** Forgets what was typed. */
  readonly clear: () => void
}

/** Which field a refusal is about; the others are about the whole form. */
const fieldOfCode = new Map<string, 'username' | 'password'>([
  ['username_taken', 'username'],
  ['username_rejected', 'username'],
  ['password_rejected', 'password'],
  ['invalid_credentials', 'password'],
])

/** The form `name` of index.html. `submit` sends what was typed; a refusal is shown next to its field. */
export function createCredentialsForm(
  name: 'sign-up' | 'sign-in',
  submit: (username: string, password: string) => Promise<Outcome>,
): CredentialsForm {
  const form = element(name, HTMLFormElement)
  const refusalBox = element(`${name}-refusal`, HTMLElement)
  const button = element(`${name}-submit`, HTMLButtonElement)
  const fields = { username: createField(`${name}-username`), password: createField(`${name}-password`) }
  const label = button.textContent ?? ''
  let isSending = false
  revealOnPress(element(`${name}-show`, HTMLButtonElement), fields.password.input)

  function refuse({ code, message, retryAfterMs }: Refusal): void {
    const field = fieldOfCode.get(code)
    if (field) return fields[field].refuse(message)
    write(refusalBox, retryAfterMs ? `${message} Wait ${inWords(retryAfterMs)}.` : message + adviceFor(code))
    refusalBox.hidden = false
  }

  function accept(): void {
    refusalBox.hidden = true
    for (const field of Object.values(fields)) field.accept()
  }

  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    if (isSending) return
    accept()
    const [username, password] = [fields.username.input.value, fields.password.input.value]
    // The last one that is refused gets the cursor.
    if (!password) fields.password.refuse('Type a password.')
    if (!username.trim()) fields.username.refuse('Type a username.')
    if (!password || !username.trim()) return
    isSending = true
    button.setAttribute('aria-disabled', 'true')
    write(button, 'One moment…')
    const outcome = await submit(username, password)
    isSending = false
    button.removeAttribute('aria-disabled')
    write(button, label)
    if (!outcome.ok) refuse(outcome)
  })
  return {
    show: (isShown) => (form.hidden = !isShown),
    offer: (username) => (fields.username.input.value = username),
    focus: () => (fields.username.input.value ? fields.password : fields.username).input.focus(),
    refuse,
    clear() {
      accept()
      form.reset()
      form.dispatchEvent(new Event('input', { bubbles: true }))
    },
  }
}

function createField(id: string) {
  const input = element(id, HTMLInputElement)
  const error = element(`${id}-error`, HTMLElement)
  return {
    input,
    refuse(message: string) {
      write(error, message)
      input.setAttribute('aria-invalid', 'true')
      input.focus()
    },
    accept() {
      write(error, '')
      input.removeAttribute('aria-invalid')
    },
  }
}

function revealOnPress(button: HTMLButtonElement, input: HTMLInputElement): void {
  button.addEventListener('click', () => {
    const isShown = input.type === 'password'
    input.type = isShown ? 'text' : 'password'
    button.setAttribute('aria-pressed', String(isShown))
    write(button, isShown ? 'Hide' : 'Show')
  })
}

/** The local stack knows its page under one name only. */
function adviceFor(code: string): string {
  if (code !== 'origin_not_allowed' || location.hostname !== '127.0.0.1') return ''
  return ` Open http://localhost:${location.port} instead.`
}
