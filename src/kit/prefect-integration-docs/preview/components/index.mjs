/** What stands for each name in a page. Adding a component means adding it here and to the catalogue. */

import * as callouts from './callouts.mjs';
import * as cards from './cards.mjs';
import { Icon } from './icon.mjs';
import * as parts from './parts.mjs';
import * as text from './text.mjs';

export const components = { ...text, ...callouts, ...cards, ...parts, Icon };
