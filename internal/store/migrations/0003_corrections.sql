-- Comes with the past of corrected claims; this file holds its place.
SELECT 1;
