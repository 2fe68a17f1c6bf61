import type { SessionStatus } from '../browser/index.ts'
import { element, write } from './elements.ts'

type Ended = Extract<SessionStatus, { kind: 'signed-out' | 'superseded' | 'expired' }>

interface Words {
  readonly title: string
  readonly what: string
  readonly next: string
}

/** How a session ended that nobody signed out of, and what to do now. */
export function showEnding(ending: Ended): void {
  const { title, what, next } = wordsFor(ending)
  write(element('ended-title', HTMLElement), title)
  write(element('ended-what', HTMLElement), what)
  write(element('ended-next', HTMLElement), next)
  write(element('ended-code', HTMLElement), ending.code)
}

export function titleOf(ending: Ended): string {
  return wordsFor(ending).title
}

function wordsFor({ kind, code }: Ended): Words {
  if (kind === 'superseded')
    return {
      title: 'You signed in somewhere else',
      what: 'A user has one session here, and a newer sign-in now has it. This one ended, in every tab.',
      next: 'Was it you? Then there is nothing to do. If not, sign in here again: that ends the other session.',
    }
  if (kind === 'expired')
    return {
      title: 'Your session has run out',
      what: 'It was not used for too long, or it reached its greatest age.',
      next: 'Nothing is wrong. Sign in to go on.',
    }
  if (code === 'refresh_reused')
    return {
      title: 'Your session was ended to protect it',
      what: 'An old refresh token came back, as a stolen one would. Nobody can use this session now.',
      next: 'Sign in to start a new one.',
    }
  return {
    title: 'Your session has ended',
    what: 'The service no longer knows it. It may have been signed out elsewhere.',
    next: 'Sign in to start a new one.',
  }
}
