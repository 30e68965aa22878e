// Package page draws the status of a recovery as one page for a browser, and has the
// words for people that the page and the command line share.
//
// It shows the fields of a tell.Status and adds no sentence about a channel but what
// its state means. It asks nobody and opens no file; the page loads nothing.
package page
