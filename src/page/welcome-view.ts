import type { Outcome, Session } from '../browser/index.ts'
import { createCredentialsForm } from './credentials-form.ts'
import { element } from './elements.ts'
import { showPasswordRule } from './password-rule.ts'
import { hasSignedInBefore, rememberUser } from './remembered.ts'

type Mode = 'sign-up' | 'sign-in'

export interface WelcomeView {
  /** Offers to sign in as this user. */
  readonly offerSignIn: (username: string | undefined) => void
  readonly clear: () => void
}

/** Signing up and signing in. Who signs up is signed in too. `onNamed` is called once the user's name is known. */
export function createWelcomeView(
  session: Session,
  announce: (text: string) => void,
  onNamed: () => void,
): WelcomeView {
  const radios = {
    'sign-up': element('mode-sign-up', HTMLInputElement),
    'sign-in': element('mode-sign-in', HTMLInputElement),
  }
  // Signing out clears the page's storage: that somebody was here is also remembered here.
  let isKnown = hasSignedInBefore()
  const signInForm = createCredentialsForm('sign-in', signIn)
  const signUpForm = createCredentialsForm('sign-up', async (username, password) => {
    const outcome = await session.signUp(username, password)
    if (!outcome.ok) return outcome
    const signedIn = await signIn(username, password)
    if (!signedIn.ok) {
      // The account is there: what is left to do is to sign in.
      choose('sign-in')
      signInForm.offer(username)
      signInForm.focus()
      signInForm.refuse(signedIn)
    }
    return { ok: true }
  })

  async function signIn(username: string, password: string): Promise<Outcome> {
    const outcome = await session.login(username, password)
    const status = session.status()
    if (outcome.ok && status.kind === 'signed-in') {
      rememberUser(status.sessionId, username.trim())
      isKnown = true
      onNamed()
    }
    return outcome
  }

  function choose(mode: Mode): void {
    radios[mode].checked = true
    signUpForm.show(mode === 'sign-up')
    signInForm.show(mode === 'sign-in')
  }

  showPasswordRule(announce)
  radios['sign-up'].addEventListener('change', () => choose('sign-up'))
  radios['sign-in'].addEventListener('change', () => choose('sign-in'))
  choose(isKnown ? 'sign-in' : 'sign-up')
  return {
    offerSignIn(username = '') {
      choose('sign-in')
      signInForm.offer(username)
      signInForm.focus()
    },
    clear() {
      signUpForm.clear()
      signInForm.clear()
      choose(isKnown ? 'sign-in' : 'sign-up')
    },
  }
}
