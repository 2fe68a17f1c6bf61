/** The page: one session of the public browser library, and a view for each state that it can be in. */
import { createSession, type SessionEvent, type SessionStatus } from '../browser/index.ts'
import { createAnnouncer } from './announcer.ts'
import { element, write } from './elements.ts'
import { showEnding, titleOf } from './ended-view.ts'
import { createJournal } from './journal.ts'
import { recordingFetch } from './network.ts'
import { watchTabs } from './presence.ts'
import { forgetUser, rememberedUser } from './remembered.ts'
import { createSessionView } from './session-view.ts'
import { createTrials } from './trials.ts'
import { createWelcomeView } from './welcome-view.ts'

type View = 'restoring' | 'welcome' | 'session' | 'ended'

const announce = createAnnouncer()
const journal = createJournal()
const session = createSession({
  issuer: location.origin,
  clientId: 'web',
  fetch: recordingFetch(journal.exchange),
})
const sessionView = createSessionView(session)
const welcomeView = createWelcomeView(session, announce, update)
let view: View | undefined
/** Who the session was, for signing in again. */
let lastUser = rememberedUser()

function viewOf(status: SessionStatus): View {
  switch (status.kind) {
    case 'restoring':
      // Not what the session before it showed: this may turn out to be another user's.
      return 'restoring'
    case 'signed-in':
    case 'offline':
      return 'session'
    case 'superseded':
    case 'expired':
      return 'ended'
    case 'signed-out':
      return status.code === 'signed_out' ? 'welcome' : 'ended'
    default:
      return status satisfies never
  }
}

function show(next: View): void {
  if (next === view) return
  const before = view && element(view, HTMLElement)
  const hadFocus = before?.contains(document.activeElement)
  if (before) before.hidden = true
  element(next, HTMLElement).hidden = false
  document.body.dataset['view'] = next
  if (view === 'welcome' || next === 'welcome') welcomeView.clear()
  view = next
  // A view that goes takes the focus along: it goes on at the top of the next one.
  if (hadFocus) element(`${next}-title`, HTMLElement).focus()
}

function update(): void {
  const status = session.status()
  if (status.kind === 'signed-in') lastUser = rememberedUser(status.sessionId) ?? lastUser
  if (status.kind === 'signed-out' || status.kind === 'superseded' || status.kind === 'expired') showEnding(status)
  sessionView.update(status)
  show(viewOf(status))
  const { text, tone } = summaryOf(status)
  const pill = element('pill', HTMLElement)
  write(pill, text)
  pill.dataset['tone'] = tone
  document.title = `${text} · Latchkey`
}

function summaryOf(status: SessionStatus): { readonly text: string; readonly tone: string } {
  switch (status.kind) {
    case 'restoring':
      return { text: 'Asking', tone: 'quiet' }
    case 'signed-in':
      return { text: 'Signed in', tone: 'good' }
    case 'offline':
      return { text: 'Offline, session kept', tone: 'trouble' }
    case 'superseded':
      return { text: 'Superseded', tone: 'quiet' }
    case 'expired':
      return { text: 'Expired', tone: 'quiet' }
    case 'signed-out':
      return { text: 'Signed out', tone: 'quiet' }
    default:
      return status satisfies never
  }
}

/** What screen readers hear, and what the journal says of things that no request shows. */
function tell(event: SessionEvent): void {
  if (event.type === 'shared') journal.note('Another tab handed over its token')
  if (event.type === 'signed-in') announce('You are signed in.')
  if (event.type === 'ended') {
    const { status } = event
    if (status.kind === 'superseded' || status.kind === 'expired') announce(`${titleOf(status)}.`)
    else announce('You are signed out.')
    journal.note(status.kind === 'superseded' ? 'Session superseded' : 'Session ended')
    forgetUser()
  }
}

let wasOffline = false
session.subscribe((event) => {
  sessionView.happened(event)
  tell(event)
  update()
  const { kind } = session.status()
  if (kind === 'offline' && !wasOffline) announce('There is no token right now. Your session is kept.')
  if (kind === 'signed-in' && wasOffline) announce('The service answers again.')
  if (kind !== 'restoring') wasOffline = kind === 'offline'
})
createTrials(session, announce)
element('ended-again', HTMLButtonElement).addEventListener('click', () => {
  show('welcome')
  welcomeView.offerSignIn(lastUser)
})
watchTabs((count) => {
  write(element('tabs', HTMLElement), String(count))
})
// Another tab has learned who the user is.
addEventListener('storage', update)
update()
