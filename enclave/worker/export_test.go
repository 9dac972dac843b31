package worker

// StaleAfter is for the tests outside the package.
const StaleAfter = staleAfter
