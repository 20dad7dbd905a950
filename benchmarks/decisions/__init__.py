"""Which film to make next: real and synthetic landscapes, noise as it is, Filmloop and its peers on equal terms."""
