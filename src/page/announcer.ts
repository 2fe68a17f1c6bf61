import { element } from './elements.ts'

/** Long enough for a screen reader to notice that the region was empty. */
const BREATH_MS = 100

/** Tells screen reader users what others see happen: what they asked for and what ends, not every refresh. */
export function createAnnouncer(): (text: string) => void {
  const region = element('announcer', HTMLElement)
  let timer: ReturnType<typeof setTimeout> | undefined
  return (text) => {
    clearTimeout(timer)
    region.textContent = ''
    timer = setTimeout(() => (region.textContent = text), BREATH_MS)
  }
}
