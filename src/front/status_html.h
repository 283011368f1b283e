/*
 * The parts of status.html, which the build makes of it (src/front/embed-page): what stands before, between and behind the
 * places for the title and for the content, and a Content-Security-Policy that allows its own style and script and
 * nothing else.
 */
#ifndef SLUICE_FRONT_STATUS_HTML_H
#define SLUICE_FRONT_STATUS_HTML_H

extern const char status_html_head[], status_html_middle[], status_html_tail[], status_html_policy[];

#endif
