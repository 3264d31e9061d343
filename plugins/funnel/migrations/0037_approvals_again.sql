-- A build that waits may be compared again, with other limits or against another publication.

grant update on ops.approvals to publisher;
